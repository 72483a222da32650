#pragma once

#include "agent/observed.h"

namespace koi::agent {

// The conditions that the agent owns, plus those of others from `before` unchanged. `status` is the
// rest of the new status. A condition keeps its lastTransitionTime while its status stays. Pure.
json::Array pod_conditions(const PodView& pod, const PodObserved& seen, std::string_view phase,
                           const json::Value& status, const json::Value& before,
                           base::WallTime now);

// True for the condition types that the agent writes.
bool is_agent_condition(std::string_view type);

// The condition of that type, or null.
const json::Value* find_condition(const json::Value& status, std::string_view type);

}  // namespace koi::agent
