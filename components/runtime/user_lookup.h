#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/launch.h"

// Names to numbers by a container's own /etc/passwd and /etc/group. Pure.
namespace koi::runtime {

struct ResolvedUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // supplementary, sorted, without the primary one
  std::string home = "/";
};

// Fails with invalid when a name is in neither file, or when root is chosen and forbidden.
base::Result<ResolvedUser> resolve_user(const UserChoice& choice, std::string_view passwd,
                                        std::string_view group);

}  // namespace koi::runtime
