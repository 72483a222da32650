#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "linux/fd.h"

namespace koi::images {

// What an archive says about one entry.
struct EntryMetadata {
  std::uint32_t mode = 0;  // permission bits with setuid, setgid and sticky
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  timespec modified{};
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// The path of an entry without leading '/', "." and empty parts; "" is the root itself. Fails with
// invalid for "..", for over-long names and for anything else that could leave the tree.
base::Result<std::string> clean_path(std::string_view raw);

// Fills one directory with entries that an untrusted archive names. Nothing outside is read or
// changed: every lookup is confined by openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), so a
// symbolic link of the archive leads back into the tree at most. Paths are clean_path()s. A later
// entry replaces an earlier one of the same path, except that directories are merged.
// One thread; `root` stays open as long as the writer.
class TreeWriter {
 public:
  struct Options {
    bool keep_ownership = true;  // false: everything belongs to the caller
    bool keep_xattrs = true;
  };
  TreeWriter(int root, Options options) : root_(root), options_(options) {}

  // The metadata of directories is applied by finish(), since filling them would undo it.
  base::Result<> add_directory(const std::string& path, EntryMetadata metadata);
  // The file to write the content into; finish_file() afterwards.
  base::Result<linux::UniqueFd> begin_file(const std::string& path);
  base::Result<> finish_file(int file, std::uint64_t size_bytes, const EntryMetadata& metadata);
  base::Result<> add_symlink(const std::string& path, const std::string& target,
                             const EntryMetadata& metadata);
  base::Result<> add_hard_link(const std::string& path, const std::string& target);
  base::Result<> add_fifo(const std::string& path, const EntryMetadata& metadata);
  // Hides what lower layers have at `path`, in overlayfs' way.
  base::Result<> add_whiteout(const std::string& path);
  base::Result<> add_opaque(const std::string& directory);

  // Applies what was put off. Nothing may be added afterwards.
  base::Result<> finish();

  // Directories that must hide those of lower layers. The attribute that says so needs a privilege
  // that the writer does not have.
  const std::set<std::string>& opaque_directories() const { return opaque_; }

 private:
  struct Place {
    int parent;  // owned by the cache
    std::string name;
  };

  base::Result<linux::UniqueFd> open_directory(const std::string& path);
  base::Result<linux::UniqueFd> make_directory(const std::string& path);
  base::Result<Place> place_of(const std::string& path);
  base::Result<> clear(const Place& place);
  base::Result<> apply_directory(const std::string& path, const EntryMetadata& metadata);
  base::Result<> apply_link_metadata(const Place& place, const EntryMetadata& metadata);
  base::Result<> set_xattrs(int file, const EntryMetadata& metadata) const;

  int root_;
  Options options_;
  std::string cached_path_;
  linux::UniqueFd cached_directory_;
  std::map<std::string, EntryMetadata, std::greater<>> directories_;  // children before parents
  std::set<std::string> opaque_;
};

// Marks `directories` (clean paths below `root`) as opaque for overlayfs, by trusted.overlay.opaque
// where the caller may, else by user.overlay.opaque.
base::Result<> mark_opaque(int root, const std::vector<std::string>& directories);

}  // namespace koi::images
