#pragma once

#include <string>
#include <string_view>

#include "agent/volume_disk.h"

namespace koi::agent {

// Gives the directory exactly this content, all at once: files live in "..<time>/", "..data" links
// there, and what programs see are links through "..data". Blocking.
//
//   <volume>/..2026_01_02_03_04_05.123456/app/config
//   <volume>/..data -> ..2026_01_02_03_04_05.123456
//   <volume>/app -> ..data/app
base::Result<> publish_volume(const base::Path& volume, const VolumeContent& content,
                              std::optional<std::int64_t> group);

// The mount point of a line of /proc/self/mountinfo, unescaped.
std::string mount_point_of(std::string_view line);

}  // namespace koi::agent
