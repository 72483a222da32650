#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "linux/fd.h"

// Mounts, in the kernel's own words. Needs Linux 5.12 (mount_setattr).
namespace koi::linux {

// mount(2). `flags` are MS_*.
base::Result<> mount_filesystem(const std::string& type, const std::string& source,
                                const Path& target, unsigned long flags,
                                const std::string& data = {});

// Sets the propagation (MS_SLAVE, MS_PRIVATE, MS_SHARED, with MS_REC) of a mount.
base::Result<> set_propagation(const Path& target, unsigned long flags);

base::Result<> unmount(const Path& target, int flags);

// A new instance of a file system as a detached mount. Each option is "key=value" or "key";
// `attributes` are MOUNT_ATTR_*. The super block is read-only when MOUNT_ATTR_RDONLY is asked for.
base::Result<UniqueFd> make_mount(const std::string& type, const std::string& source,
                                  const std::vector<std::string>& options,
                                  std::uint64_t attributes);

// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at the open file, with everything
// mounted below it when `recursive`. It goes away with the descriptor unless it is attached.
base::Result<UniqueFd> clone_mount(int fd, bool recursive);

struct MountAttributes {
  std::uint64_t set = 0;          // MOUNT_ATTR_*
  std::uint64_t clear = 0;        // MOUNT_ATTR_*
  std::uint64_t propagation = 0;  // MS_PRIVATE, MS_SLAVE, MS_SHARED, or 0 for as it is
  bool recursive = false;
};
base::Result<> set_mount_attributes(int mount, const MountAttributes& attributes);

// Attaches a detached mount on top of what `target` (opened with O_PATH) refers to.
base::Result<> attach_mount(int mount, int target);

struct OverlayDirectories {
  std::vector<Path> lower;  // topmost first
  Path upper;
  Path work;
};
// Mounts an overlay whose upper layer need not survive a power loss.
base::Result<> mount_overlay(const OverlayDirectories& directories, const Path& target);

// Makes `new_root` (a mount point) the root of the calling process's mount namespace and detaches
// the old one. The working directory becomes "/".
base::Result<> change_root(const Path& new_root);

// Makes the directories of `path` below the directory `root`, following symbolic links as if
// `root` were "/", and opens the last with O_PATH. With `file`, the last component becomes an empty
// file when nothing is there.
base::Result<UniqueFd> make_path_in_root(int root, std::string_view path, bool file,
                                         unsigned mode = 0755);

// One line of /proc/<pid>/mountinfo.
struct MountInfo {
  std::string root;
  std::string mount_point;
  std::string options;
  std::string type;
  std::string source;
  std::string super_options;
};
// Lines that do not parse are passed over.
std::vector<MountInfo> parse_mountinfo(std::string_view text);

}  // namespace koi::linux
