#pragma once

#include <optional>
#include <string_view>

namespace koi::agent {

// The number of "SIGTERM", "TERM" or "15"; empty for what names no signal.
std::optional<int> signal_number(std::string_view name);

}  // namespace koi::agent
