#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace koi::agent {

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// Replaces "$(NAME)" by what `lookup` knows. Unknown references stay as they are, "$$" is "$".
std::string expand_references(std::string_view text, const Lookup& lookup);

}  // namespace koi::agent
