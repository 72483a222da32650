#pragma once

#include <string>
#include <string_view>

#include "api/object.h"

namespace koi::controllers {

// The controlling ownerReference that children of `owner` carry.
json::Value controller_reference(const api::Object& owner, std::string_view api_version,
                                 std::string_view kind);

// A pod after the template, controlled by the owner of `reference`, named after `prefix`.
json::Value pod_from_template(const json::Value& pod_template, const json::Value& reference,
                              std::string_view name_space, std::string_view prefix);

// A condition with its times set to now, as most workload statuses carry them.
json::Value make_condition(std::string_view type, bool holds, std::string_view reason,
                           std::string_view message, std::string_view now);

}  // namespace koi::controllers
