#pragma once

#include <string_view>

namespace koi::base {

inline constexpr std::string_view koi_version = "0.1.0";
// The API that is spoken, and koi's release of it, as /version and nodes report it.
inline constexpr std::string_view kubernetes_version = "v1.36.0+koi.0.1.0";

}  // namespace koi::base
