#include "images/untar.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "images/tree_writer.h"

namespace koi::images {

namespace {

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view opaque_marker = ".wh..wh..opq";
constexpr std::string_view reserved_prefix = ".wh..wh.";
constexpr std::uint64_t id_max = 0xffff'fffe;

// Bytes of the stream, as libarchive asks for them.
struct Source {
  int fd = -1;
  std::vector<char> buffer = std::vector<char>(256 * 1024);

  ssize_t read() {
    while (true) {
      const ssize_t count = ::read(fd, buffer.data(), buffer.size());
      if (count >= 0 || errno != EINTR) return count;
    }
  }
};

la_ssize_t read_source(archive* handle, void* user, const void** bytes) {
  auto* source = static_cast<Source*>(user);
  const ssize_t count = source->read();
  if (count < 0) archive_set_error(handle, errno, "read: %s", std::strerror(errno));
  *bytes = source->buffer.data();
  return count;
}

struct FreeArchive {
  void operator()(archive* handle) const { ::archive_read_free(handle); }
};

base::Error archive_error(archive* handle, base::Code code) {
  const char* text = ::archive_error_string(handle);
  return {code, std::string("tar stream is damaged: ") + (text != nullptr ? text : "no details")};
}

base::Result<std::uint32_t> id_of(la_int64_t id, const char* what) {
  if (id < 0 || static_cast<std::uint64_t>(id) > id_max) {
    return base::fail(base::Code::invalid,
                      std::string(what) + " id '" + std::to_string(id) + "' is out of range");
  }
  return static_cast<std::uint32_t>(id);
}

class Untar {
 public:
  Untar(int source, int root, const UntarOptions& options)
      : options_(options),
        source_{.fd = source},
        writer_(root, {.keep_ownership = options.keep_ownership && is_layer(options),
                       .keep_xattrs = is_layer(options)}) {}

  base::Result<UntarReport> run() {
    archive_.reset(::archive_read_new());
    archive* handle = archive_.get();
    ::archive_read_support_format_tar(handle);
    ::archive_read_support_format_empty(handle);
    if (::archive_read_open2(handle, &source_, nullptr, read_source, nullptr, nullptr) !=
        ARCHIVE_OK) {
      return base::fail(archive_error(handle, base::Code::corrupt));
    }
    archive_entry* entry = nullptr;
    while (true) {
      const int outcome = ::archive_read_next_header(handle, &entry);
      if (outcome == ARCHIVE_EOF) break;
      if (outcome == ARCHIVE_RETRY) continue;
      // A warning is about character sets: names are bytes here.
      if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
        return base::fail(archive_error(handle, base::Code::corrupt));
      }
      if (++report_.entries > options_.entries_max) {
        return base::fail(
            base::Code::too_large,
            "archive has more than " + std::to_string(options_.entries_max) + " entries");
      }
      if (auto added = add(entry); !added) return base::fail(std::move(added).error());
    }
    if (auto drained = drain(); !drained) return base::fail(std::move(drained).error());
    if (auto done = writer_.finish(); !done) return base::fail(std::move(done).error());
    const auto& opaque = writer_.opaque_directories();
    report_.opaque_directories.assign(opaque.begin(), opaque.end());
    return std::move(report_);
  }

 private:
  static bool is_layer(const UntarOptions& options) { return options.kind == TreeKind::layer; }

  // Whoever feeds the stream hashes all of it, also what stands behind the end of the tar.
  base::Result<> drain() {
    while (true) {
      const ssize_t count = source_.read();
      if (count == 0) return {};
      if (count < 0) return linux::fail_errno("read tar stream");
    }
  }

  base::Result<> add(archive_entry* entry) {
    const char* raw = ::archive_entry_pathname(entry);
    if (raw == nullptr) raw = ::archive_entry_pathname_utf8(entry);
    if (raw == nullptr) return base::fail(base::Code::invalid, "an entry has no readable name");
    auto path = clean_path(raw);
    if (!path) return base::fail(std::move(path).error());
    if (is_layer(options_)) {
      const std::size_t slash = path->rfind('/');
      const std::string name = slash == std::string::npos ? *path : path->substr(slash + 1);
      if (name.starts_with(whiteout_prefix)) {
        return add_marker(slash == std::string::npos ? "" : path->substr(0, slash), name);
      }
    }
    if (const char* target = ::archive_entry_hardlink(entry)) {
      auto clean = clean_path(target);
      if (!clean) return base::fail(std::move(clean).error());
      return writer_.add_hard_link(*path, *clean);
    }
    return add_node(entry, *path);
  }

  base::Result<> add_marker(const std::string& parent, const std::string& name) {
    if (name == opaque_marker) return writer_.add_opaque(parent);
    if (name.starts_with(reserved_prefix)) return {};  // aufs' own bookkeeping
    const std::string hidden = name.substr(whiteout_prefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") {
      return base::fail(base::Code::invalid, "entry '" + name + "' hides nothing");
    }
    return writer_.add_whiteout(parent.empty() ? hidden : parent + "/" + hidden);
  }

  base::Result<EntryMetadata> metadata_of(archive_entry* entry) {
    EntryMetadata metadata;
    metadata.mode = static_cast<std::uint32_t>(::archive_entry_perm(entry));
    auto user = id_of(::archive_entry_uid(entry), "user");
    if (!user) return base::fail(std::move(user).error());
    auto group = id_of(::archive_entry_gid(entry), "group");
    if (!group) return base::fail(std::move(group).error());
    metadata.user = *user;
    metadata.group = *group;
    metadata.modified = {.tv_sec = ::archive_entry_mtime(entry),
                         .tv_nsec = ::archive_entry_mtime_nsec(entry)};
    if (metadata.modified.tv_nsec < 0 || metadata.modified.tv_nsec > 999'999'999) {
      metadata.modified.tv_nsec = 0;
    }
    if (!is_layer(options_)) metadata.mode = 0700;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    ::archive_entry_xattr_reset(entry);
    while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      if (metadata.xattrs.size() == limits::xattrs_per_entry_max ||
          size > limits::xattr_value_bytes_max) {
        return base::fail(base::Code::too_large, "an entry has too many extended attributes");
      }
      metadata.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
    }
    return metadata;
  }

  base::Result<> add_node(archive_entry* entry, const std::string& path) {
    auto metadata = metadata_of(entry);
    if (!metadata) return base::fail(std::move(metadata).error().during("entry '" + path + "'"));
    switch (::archive_entry_filetype(entry)) {
      case AE_IFREG:
        return add_file(entry, path, *metadata);
      case AE_IFDIR:
        return writer_.add_directory(path, std::move(*metadata));
      case AE_IFLNK: {
        const char* target = ::archive_entry_symlink(entry);
        return writer_.add_symlink(path, target != nullptr ? target : "", *metadata);
      }
      case AE_IFIFO:
        if (is_layer(options_)) return writer_.add_fifo(path, *metadata);
        return {};
      case AE_IFCHR:
      case AE_IFBLK:
        ++report_.devices_skipped;
        return {};
      default:
        return base::fail(base::Code::invalid, "entry '" + path + "' is of an unknown type");
    }
  }

  base::Result<> add_file(archive_entry* entry, const std::string& path,
                          const EntryMetadata& metadata) {
    const la_int64_t declared = ::archive_entry_size(entry);
    if (declared < 0) {
      return base::fail(base::Code::invalid, "entry '" + path + "' has a negative size");
    }
    const auto size = static_cast<std::uint64_t>(declared);
    if (size > options_.bytes_max - report_.bytes) {
      return base::fail(base::Code::too_large, "entry '" + path + "' passes the limit of " +
                                                   std::to_string(options_.bytes_max) +
                                                   " bytes of content");
    }
    report_.bytes += size;
    auto file = writer_.begin_file(path);
    if (!file) return base::fail(std::move(file).error());
    if (auto copied = copy_content(file->get(), size); !copied) {
      return base::fail(std::move(copied).error().during("entry '" + path + "'"));
    }
    return writer_.finish_file(file->get(), size, metadata);
  }

  // Blocks come with their offset: what lies between is a hole.
  base::Result<> copy_content(int file, std::uint64_t size) {
    const void* bytes = nullptr;
    std::size_t count = 0;
    la_int64_t offset = 0;
    while (true) {
      const int outcome = ::archive_read_data_block(archive_.get(), &bytes, &count, &offset);
      if (outcome == ARCHIVE_EOF) return {};
      if (outcome == ARCHIVE_RETRY) continue;
      if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
        return base::fail(archive_error(archive_.get(), base::Code::corrupt));
      }
      const auto at = static_cast<std::uint64_t>(offset);
      if (offset < 0 || at > size || count > size - at) {
        return base::fail(base::Code::invalid, "content lies beyond its declared size");
      }
      const char* from = static_cast<const char*>(bytes);
      for (std::size_t done = 0; done < count;) {
        const ssize_t written =
            ::pwrite(file, from + done, count - done, static_cast<off_t>(at + done));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return linux::fail_errno("write");
        done += static_cast<std::size_t>(written);
      }
    }
  }

  UntarOptions options_;
  Source source_;
  std::unique_ptr<archive, FreeArchive> archive_;
  TreeWriter writer_;
  UntarReport report_;
};

}  // namespace

base::Result<UntarReport> untar(int source, int root, const UntarOptions& options) {
  return Untar(source, root, options).run();
}

}  // namespace koi::images
