#include "runtime/mount_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <string_view>

namespace koi::runtime {

namespace {

struct Word {
  std::string_view word;
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
};

constexpr Word words[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
};

bool read_propagation(std::string_view word, MountOptions& options) {
  if (word == "private" || word == "rprivate")
    options.propagation = MS_PRIVATE;
  else if (word == "slave" || word == "rslave")
    options.propagation = MS_SLAVE;
  else if (word == "shared" || word == "rshared")
    options.propagation = MS_SHARED;
  else
    return false;
  return true;
}

}  // namespace

MountOptions parse_mount_options(const std::vector<std::string>& options) {
  MountOptions result;
  for (const std::string& option : options) {
    if (option == "bind" || option == "rbind") {
      result.bind = true;
      result.recursive = option == "rbind";
      continue;
    }
    if (option == "tmpcopyup") {
      result.copy_up = true;
      continue;
    }
    if (option.empty() || option == "notmpcopyup" || option == "defaults" ||
        read_propagation(option, result))
      continue;
    const auto found = std::find_if(std::begin(words), std::end(words),
                                    [&](const Word& word) { return word.word == option; });
    if (found == std::end(words)) {
      result.data.push_back(option);
      continue;
    }
    result.set = (result.set & ~found->clear) | found->set;
    result.clear = (result.clear & ~found->set) | found->clear;
  }
  return result;
}

}  // namespace koi::runtime
