#pragma once

#include <cstdint>
#include <string>
#include <vector>

// The words of a mount's options as the kernel takes them. Pure.
namespace koi::runtime {

struct MountOptions {
  bool bind = false;
  bool recursive = false;
  bool copy_up = false;           // start with what the image has there
  std::uint64_t set = 0;          // MOUNT_ATTR_*
  std::uint64_t clear = 0;        // MOUNT_ATTR_*
  unsigned long propagation = 0;  // MS_SHARED, MS_SLAVE, MS_PRIVATE, or 0
  std::vector<std::string> data;  // what is left for the file system itself
};

MountOptions parse_mount_options(const std::vector<std::string>& options);

}  // namespace koi::runtime
