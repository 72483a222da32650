#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace koi::agent {

struct VolumeFile {
  std::string content;
  std::uint32_t mode = 0644;

  friend bool operator==(const VolumeFile&, const VolumeFile&) = default;
};

// The files of a volume that koi fills, by their path below it.
using VolumeContent = std::map<std::string, VolumeFile>;

// The door to the disk of pods: directories with owners and modes, memory file systems, files that
// change all at once. Blocking; called on a pool. Every call is idempotent.
class VolumeDisk {
 public:
  virtual ~VolumeDisk() = default;

  // A directory that every user of the pod may write; with `group` as its owner and set-gid.
  virtual base::Result<> make_directory(const base::Path& path,
                                        std::optional<std::int64_t> group) = 0;

  // The same as a file system in memory of at most `bytes_max`. Once mounted it stays.
  virtual base::Result<> make_memory(const base::Path& path, std::optional<std::int64_t> bytes_max,
                                     std::optional<std::int64_t> group) = 0;

  // Gives the volume exactly this content. Readers see all of the old files or all of the new ones,
  // through "..data" as programs that watch for changes expect. Does nothing when nothing differs.
  virtual base::Result<> publish(const base::Path& volume, const VolumeContent& content,
                                 std::optional<std::int64_t> group) = 0;

  // Checks a hostPath volume of that type ("Directory", "FileOrCreate", ...), making what an
  // OrCreate type asks for. Fails with the text of the FailedMount event.
  virtual base::Result<> prepare_host_path(const base::Path& path, const std::string& type) = 0;

  // Makes the directory `sub_path` below `volume`, never following a link out of it.
  virtual base::Result<> make_sub_path(const base::Path& volume, const std::string& sub_path) = 0;

  // Writes one plain file in place, keeping its inode: containers have it bound.
  virtual base::Result<> write_file(const base::Path& path, std::string_view content,
                                    std::uint32_t mode) = 0;

  // Names of a directory's entries; none where it does not exist.
  virtual std::vector<std::string> list(const base::Path& directory) = 0;

  // Removes the logs of attempts before `oldest_kept`.
  virtual base::Result<> drop_logs(const base::Path& container_logs, std::uint32_t oldest_kept) = 0;

  // The last lines of a log, without their CRI prefix: at most 80 lines and 2048 bytes.
  virtual base::Result<std::string> log_tail(const base::Path& log) = 0;

  // Unmounts everything below and removes it. Never crosses into another file system.
  virtual base::Result<> remove_pod(const base::Path& pod_directory) = 0;
};

// The real disk.
std::unique_ptr<VolumeDisk> make_volume_disk();

}  // namespace koi::agent
