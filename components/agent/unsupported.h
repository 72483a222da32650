#pragma once

#include <optional>
#include <string>

#include "json/value.h"

namespace koi::agent {

// The first thing that a pod asks for and koi does not do yet, in words that name the field and say
// what to do. Empty for a pod that can run. Pure.
std::optional<std::string> find_unsupported(const json::Value& pod);

// The same for what a pod that runs already was changed to: ephemeral containers, other resources.
std::optional<std::string> find_unsupported_change(const json::Value& before,
                                                   const json::Value& after);

}  // namespace koi::agent
