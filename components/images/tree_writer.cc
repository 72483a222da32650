#include "images/tree_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "images/limits.h"

namespace koi::images {

namespace {

constexpr std::uint32_t permission_mask = 07777;
constexpr unsigned long long confined = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

std::unexpected<base::Error> invalid_entry(std::string_view path, std::string_view reason) {
  return base::fail(base::Code::invalid,
                    "entry '" + std::string(path.substr(0, 200)) + "' " + std::string(reason));
}

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(0, 0);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

base::Result<> remove_tree_at(int parent, const char* name, std::size_t depth) {
  if (depth > limits::replaced_tree_depth_max) {
    return invalid_entry(name, "replaces a directory that is nested too deeply");
  }
  linux::UniqueFd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return linux::fail_errno("open", name);
  std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd.get()));
  if (!directory) return linux::fail_errno("list", name);
  const int inside = fd.release();
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view child = entry->d_name;
    if (child == "." || child == "..") continue;
    struct stat status{};
    if (::fstatat(inside, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return linux::fail_errno("stat", entry->d_name);
    }
    if (S_ISDIR(status.st_mode)) {
      if (auto gone = remove_tree_at(inside, entry->d_name, depth + 1); !gone) return gone;
    } else if (::unlinkat(inside, entry->d_name, 0) != 0) {
      return linux::fail_errno("remove", entry->d_name);
    }
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0) return linux::fail_errno("remove", name);
  return {};
}

// Overlayfs' own attributes could send a lookup anywhere; labels of another machine mean nothing.
bool is_allowed_xattr(std::string_view name) {
  if (name == "security.capability") return true;
  return name.starts_with("user.") && !name.starts_with("user.overlay.");
}

}  // namespace

base::Result<std::string> clean_path(std::string_view raw) {
  std::string clean;
  std::string_view rest = raw;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return invalid_entry(raw, "leaves its archive by '..'");
    if (part.size() > limits::path_component_bytes_max) {
      return invalid_entry(raw, "has a name longer than 255 bytes");
    }
    if (part.contains('\0')) return invalid_entry(raw, "has a zero byte in its name");
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  if (clean.size() > limits::path_bytes_max) return invalid_entry(raw, "has too long a path");
  return clean;
}

base::Result<linux::UniqueFd> TreeWriter::open_directory(const std::string& path) {
  return linux::open_at(root_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY, confined);
}

// As open_directory, making what is missing. A whiteout on the way becomes an opaque directory:
// the layer removes the old one and brings a new one.
base::Result<linux::UniqueFd> TreeWriter::make_directory(const std::string& path) {
  if (auto found = open_directory(path)) return found;
  auto [parent_path, name] = split(path);
  if (name.empty()) return open_directory(path);
  auto parent = make_directory(parent_path);
  if (!parent) return parent;
  struct stat status{};
  if (::fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      is_whiteout(status)) {
    if (::unlinkat(parent->get(), name.c_str(), 0) != 0) return linux::fail_errno("remove", path);
    opaque_.insert(path);
  }
  if (::mkdirat(parent->get(), name.c_str(), 0755) != 0) {
    if (errno == EEXIST) return invalid_entry(path, "is used as a directory and is none");
    return linux::fail_errno("make directory", path);
  }
  return open_directory(path);
}

base::Result<TreeWriter::Place> TreeWriter::place_of(const std::string& path) {
  auto [parent, name] = split(path);
  if (name.empty()) return invalid_entry(path, "would replace the root");
  if (!cached_directory_ || cached_path_ != parent) {
    auto directory = make_directory(parent);
    if (!directory) return base::fail(std::move(directory).error());
    cached_directory_ = std::move(*directory);
    cached_path_ = parent;
  }
  return Place{cached_directory_.get(), name};
}

base::Result<> TreeWriter::clear(const Place& place) {
  struct stat status{};
  if (::fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!S_ISDIR(status.st_mode)) {
    if (::unlinkat(place.parent, place.name.c_str(), 0) == 0) return {};
    return linux::fail_errno("replace", place.name);
  }
  // Descriptors into the removed tree are stale; `place` itself stays good until the next one.
  cached_path_ = "/";
  return remove_tree_at(place.parent, place.name.c_str(), 0);
}

base::Result<> TreeWriter::add_directory(const std::string& path, EntryMetadata metadata) {
  if (!path.empty()) {
    auto place = place_of(path);
    if (!place) return base::fail(std::move(place).error());
    if (::mkdirat(place->parent, place->name.c_str(), 0755) != 0) {
      if (errno != EEXIST) return linux::fail_errno("make directory", path);
      struct stat status{};
      if (::fstatat(place->parent, place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return linux::fail_errno("stat", path);
      }
      if (!S_ISDIR(status.st_mode)) {
        if (auto gone = clear(*place); !gone) return gone;
        if (is_whiteout(status)) opaque_.insert(path);
        if (::mkdirat(place->parent, place->name.c_str(), 0755) != 0) {
          return linux::fail_errno("make directory", path);
        }
        cached_path_ = "/";
      }
    }
  }
  directories_.insert_or_assign(path, std::move(metadata));
  return {};
}

base::Result<linux::UniqueFd> TreeWriter::begin_file(const std::string& path) {
  auto place = place_of(path);
  if (!place) return base::fail(std::move(place).error());
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  linux::UniqueFd file(::openat(place->parent, place->name.c_str(), flags, 0600));
  if (!file && errno == EEXIST) {
    if (auto gone = clear(*place); !gone) return base::fail(std::move(gone).error());
    file.reset(::openat(place->parent, place->name.c_str(), flags, 0600));
  }
  if (!file) return linux::fail_errno("create", path);
  return file;
}

base::Result<> TreeWriter::set_xattrs(int file, const EntryMetadata& metadata) const {
  if (!options_.keep_xattrs) return {};
  for (const auto& [name, value] : metadata.xattrs) {
    if (!is_allowed_xattr(name)) continue;
    if (::fsetxattr(file, name.c_str(), value.data(), value.size(), 0) == 0) continue;
    const bool tolerable = errno == ENOTSUP || (errno == EPERM && !options_.keep_ownership);
    if (!tolerable) return linux::fail_errno("set attribute '" + name + "'");
  }
  return {};
}

base::Result<> TreeWriter::finish_file(int file, std::uint64_t size_bytes,
                                       const EntryMetadata& metadata) {
  struct stat status{};
  if (::fstat(file, &status) != 0) return linux::fail_errno("stat file");
  if (static_cast<std::uint64_t>(status.st_size) != size_bytes &&
      ::ftruncate(file, static_cast<off_t>(size_bytes)) != 0) {
    return linux::fail_errno("set size of file");
  }
  // In this order: a change of owner clears setuid and capabilities.
  if (options_.keep_ownership && ::fchown(file, metadata.user, metadata.group) != 0) {
    return linux::fail_errno("set owner of file");
  }
  if (::fchmod(file, metadata.mode & permission_mask) != 0) {
    return linux::fail_errno("set mode of file");
  }
  if (auto set = set_xattrs(file, metadata); !set) return set;
  const timespec times[2] = {metadata.modified, metadata.modified};
  if (::futimens(file, times) != 0) return linux::fail_errno("set time of file");
  return {};
}

base::Result<> TreeWriter::apply_link_metadata(const Place& place, const EntryMetadata& metadata) {
  if (options_.keep_ownership && ::fchownat(place.parent, place.name.c_str(), metadata.user,
                                            metadata.group, AT_SYMLINK_NOFOLLOW) != 0) {
    return linux::fail_errno("set owner", place.name);
  }
  const timespec times[2] = {metadata.modified, metadata.modified};
  if (::utimensat(place.parent, place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return linux::fail_errno("set time", place.name);
  }
  return {};
}

base::Result<> TreeWriter::add_symlink(const std::string& path, const std::string& target,
                                       const EntryMetadata& metadata) {
  if (target.empty() || target.size() > limits::path_bytes_max) {
    return invalid_entry(path, "is a symbolic link to nowhere");
  }
  auto place = place_of(path);
  if (!place) return base::fail(std::move(place).error());
  if (auto gone = clear(*place); !gone) return gone;
  if (::symlinkat(target.c_str(), place->parent, place->name.c_str()) != 0) {
    return linux::fail_errno("make symbolic link", path);
  }
  return apply_link_metadata(*place, metadata);
}

base::Result<> TreeWriter::add_hard_link(const std::string& path, const std::string& target) {
  if (path == target) return {};
  auto [target_parent, target_name] = split(target);
  if (target_name.empty()) return invalid_entry(path, "is a hard link to the root");
  auto place = place_of(path);
  if (!place) return base::fail(std::move(place).error());
  auto source = open_directory(target_parent);
  struct stat status{};
  if (!source || ::fstatat(source->get(), target_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return invalid_entry(path, "is a hard link to '" + target + "', which this archive lacks");
  }
  if (S_ISDIR(status.st_mode)) return invalid_entry(path, "is a hard link to a directory");
  if (auto gone = clear(*place); !gone) return gone;
  if (::linkat(source->get(), target_name.c_str(), place->parent, place->name.c_str(), 0) != 0) {
    return linux::fail_errno("make hard link", path);
  }
  return {};
}

base::Result<> TreeWriter::add_fifo(const std::string& path, const EntryMetadata& metadata) {
  auto place = place_of(path);
  if (!place) return base::fail(std::move(place).error());
  if (auto gone = clear(*place); !gone) return gone;
  if (::mknodat(place->parent, place->name.c_str(), S_IFIFO | 0600, 0) != 0) {
    return linux::fail_errno("make fifo", path);
  }
  if (auto applied = apply_link_metadata(*place, metadata); !applied) return applied;
  if (::fchmodat(place->parent, place->name.c_str(), metadata.mode & permission_mask, 0) != 0) {
    return linux::fail_errno("set mode", path);
  }
  return {};
}

base::Result<> TreeWriter::add_whiteout(const std::string& path) {
  auto place = place_of(path);
  if (!place) return base::fail(std::move(place).error());
  if (::mknodat(place->parent, place->name.c_str(), S_IFCHR, ::makedev(0, 0)) == 0) return {};
  if (errno != EEXIST) return linux::fail_errno("make whiteout", path);
  // The layer itself has the path, which hides a lower file anyway; a directory would be merged.
  struct stat status{};
  if (::fstatat(place->parent, place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(status.st_mode)) {
    opaque_.insert(path);
  }
  return {};
}

base::Result<> TreeWriter::add_opaque(const std::string& directory) {
  auto made = make_directory(directory);
  if (!made) return base::fail(std::move(made).error());
  opaque_.insert(directory);
  return {};
}

base::Result<> TreeWriter::apply_directory(const std::string& path, const EntryMetadata& metadata) {
  auto [parent_path, name] = split(path);
  auto parent = open_directory(parent_path);
  if (!parent) return {};  // replaced by a later entry
  const char* last = name.empty() ? "." : name.c_str();
  linux::UniqueFd directory(
      ::openat(parent->get(), last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return {};
  if (options_.keep_ownership && ::fchown(directory.get(), metadata.user, metadata.group) != 0) {
    return linux::fail_errno("set owner", path);
  }
  if (auto set = set_xattrs(directory.get(), metadata); !set) return set;
  if (::fchmod(directory.get(), metadata.mode & permission_mask) != 0) {
    return linux::fail_errno("set mode", path);
  }
  const timespec times[2] = {metadata.modified, metadata.modified};
  if (::futimens(directory.get(), times) != 0) return linux::fail_errno("set time", path);
  return {};
}

base::Result<> TreeWriter::finish() {
  cached_directory_.reset();
  for (const auto& [path, metadata] : directories_) {
    if (auto applied = apply_directory(path, metadata); !applied) return applied;
  }
  return {};
}

base::Result<> mark_opaque(int root, const std::vector<std::string>& directories) {
  for (const std::string& path : directories) {
    auto directory = linux::open_at(root, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY,
                                    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (!directory) continue;  // replaced by a later entry
    struct stat status{};
    if (::fstat(directory->get(), &status) != 0) return linux::fail_errno("stat", path);
    const timespec times[2] = {status.st_atim, status.st_mtim};
    if (::fsetxattr(directory->get(), "trusted.overlay.opaque", "y", 1, 0) != 0 &&
        ::fsetxattr(directory->get(), "user.overlay.opaque", "y", 1, 0) != 0) {
      return linux::fail_errno("mark opaque", path);
    }
    (void)::futimens(directory->get(), times);
  }
  return {};
}

}  // namespace koi::images
