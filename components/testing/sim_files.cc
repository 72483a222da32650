#include "testing/sim_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace koi::testing {

using base::Code;
using base::errno_error;
using base::fail;
using base::Path;
using base::Result;

namespace {

struct Change {
  bool truncation = false;
  std::uint64_t offset = 0;  // of a truncation: the new size
  std::string bytes;
};

void replay(std::string& content, const Change& change) {
  if (change.truncation) {
    content.resize(change.offset, '\0');
    return;
  }
  const std::size_t end = change.offset + change.bytes.size();
  if (content.size() < end) content.resize(end, '\0');
  std::memcpy(content.data() + change.offset, change.bytes.data(), change.bytes.size());
}

// One file's bytes: as programs see them, and as the platter holds them.
struct Inode {
  std::string now;
  std::string durable;
  std::vector<Change> unsynced;
};

using Tree = std::map<std::string, std::shared_ptr<Inode>>;

}  // namespace

struct SimFiles::Disk {
  explicit Disk(base::Random& r) : random(r) {}
  base::Random& random;
  Tree files;
  Tree durable_files;
  std::uint64_t generation = 0;  // grows with every crash
  bool full = false;
};

class SimFile final : public base::File {
 public:
  SimFile(std::shared_ptr<SimFiles::Disk> disk, std::shared_ptr<Inode> inode)
      : disk_(std::move(disk)), inode_(std::move(inode)), generation_(disk_->generation) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) override {
    if (auto usable = check(); !usable) return fail(std::move(usable).error());
    const std::string& content = inode_->now;
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t count = std::min(buffer.size(), content.size() - offset);
    std::memcpy(buffer.data(), content.data() + offset, count);
    return count;
  }

  Result<> write_at(std::uint64_t offset, std::string_view bytes) override {
    return change(Change{.offset = offset, .bytes = std::string(bytes)});
  }

  Result<> truncate(std::uint64_t size) override {
    return change(Change{.truncation = true, .offset = size, .bytes = {}});
  }

  Result<std::uint64_t> size() override {
    if (auto usable = check(); !usable) return fail(std::move(usable).error());
    return inode_->now.size();
  }

  Result<> sync() override {
    if (auto usable = check(); !usable) return usable;
    inode_->durable = inode_->now;
    inode_->unsynced.clear();
    return {};
  }

 private:
  Result<> check() const {
    if (generation_ == disk_->generation) return {};
    return fail(errno_error(EIO, "use a file from before the crash"));
  }

  Result<> change(Change change) {
    if (auto usable = check(); !usable) return usable;
    if (disk_->full && !change.truncation) return fail(errno_error(ENOSPC, "write"));
    replay(inode_->now, change);
    inode_->unsynced.push_back(std::move(change));
    return {};
  }

  std::shared_ptr<SimFiles::Disk> disk_;
  std::shared_ptr<Inode> inode_;
  std::uint64_t generation_;
};

SimFiles::SimFiles(base::Random& random) : disk_(std::make_shared<Disk>(random)) {}

SimFiles::~SimFiles() = default;

Result<std::unique_ptr<base::File>> SimFiles::open(const Path& path,
                                                   const base::OpenOptions& options) {
  auto& files = disk_->files;
  auto found = files.find(path.string());
  if (found == files.end()) {
    if (!options.create) return fail(errno_error(ENOENT, "open '" + path.string() + "'"));
    found = files.emplace(path.string(), std::make_shared<Inode>()).first;
  } else if (options.create && options.exclusive) {
    return fail(errno_error(EEXIST, "open '" + path.string() + "'"));
  }
  auto file = std::make_unique<SimFile>(disk_, found->second);
  if (options.truncate) {
    if (auto done = file->truncate(0); !done) return fail(std::move(done).error());
  }
  return file;
}

Result<> SimFiles::make_directories(const Path&, std::uint32_t) { return {}; }

Result<> SimFiles::rename(const Path& source, const Path& target) {
  const auto found = disk_->files.find(source.string());
  if (found == disk_->files.end()) {
    return fail(errno_error(ENOENT, "rename '" + source.string() + "'"));
  }
  disk_->files[target.string()] = found->second;
  disk_->files.erase(source.string());
  return {};
}

Result<> SimFiles::remove(const Path& path) {
  disk_->files.erase(path.string());
  return {};
}

Result<> SimFiles::remove_tree(const Path& path) {
  const std::string prefix = path.string() + "/";
  std::erase_if(disk_->files, [&](const auto& file) {
    return file.first == path.string() || file.first.starts_with(prefix);
  });
  return {};
}

Result<bool> SimFiles::exists(const Path& path) {
  const std::string prefix = path.string() + "/";
  return std::any_of(disk_->files.begin(), disk_->files.end(), [&](const auto& file) {
    return file.first == path.string() || file.first.starts_with(prefix);
  });
}

Result<std::vector<std::string>> SimFiles::list(const Path& directory) {
  const std::string prefix = directory.string() + "/";
  std::vector<std::string> names;
  for (const auto& [path, inode] : disk_->files) {
    if (!path.starts_with(prefix)) continue;
    std::string name = path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size());
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

Result<> SimFiles::sync_directory(const Path& directory) {
  const auto inside = [&](const auto& file) { return Path(file.first).parent_path() == directory; };
  std::erase_if(disk_->durable_files, inside);
  for (const auto& file : disk_->files) {
    if (inside(file)) disk_->durable_files.insert(file);
  }
  return {};
}

void SimFiles::crash() {
  ++disk_->generation;
  disk_->files = disk_->durable_files;
  for (auto& [path, inode] : disk_->files) {
    // The kernel may have written some of the dirty pages by itself, in any order.
    for (Change& change : inode->unsynced) {
      const auto fate = disk_->random.below(3);
      if (fate == 0) continue;
      if (fate == 1 && !change.truncation) {
        change.bytes.resize(disk_->random.below(change.bytes.size() + 1));
      }
      replay(inode->durable, change);
    }
    inode->unsynced.clear();
    inode->now = inode->durable;
  }
}

void SimFiles::set_full(bool full) { disk_->full = full; }

}  // namespace koi::testing
