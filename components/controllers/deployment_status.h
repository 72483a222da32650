#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "controllers/deployment_sets.h"

namespace koi::controllers {

// A condition of a Deployment. Where one of the same status and reason stands nothing changes; the
// transition time moves only with the status.
struct ConditionChange {
  std::string_view type;
  std::string_view status;
  std::string_view reason;
  std::string_view message;
};
void set_condition(json::Array& conditions, const ConditionChange& change, base::WallTime now);
void remove_condition(json::Array& conditions, std::string_view type);
const json::Value* find_in(const json::Array& conditions, std::string_view type);

// What a Deployment's status is computed from. `sets` hold the ReplicaSets as stored; `new_set` is
// null where there is none of the current template.
struct DeploymentStatusFacts {
  const api::Object& deployment;
  std::vector<const json::Value*> sets{};
  const json::Value* new_set = nullptr;
  json::Array conditions{};  // as they stand, with what the plan has added
  base::WallTime now{};
};

bool has_progress_deadline(const json::Value& deployment);

// Counts, conditions Available, ReplicaFailure and, where `rolling_out`, Progressing.
json::Value deployment_status(const DeploymentStatusFacts& facts, bool rolling_out);

// Everything wanted is updated and available, and nothing else is left.
bool is_complete(const json::Value& deployment, const json::Value& status);

// When a rollout that makes no progress has to be looked at again.
std::optional<base::WallTime> deadline_check(const json::Value& deployment,
                                             const json::Value& status);

}  // namespace koi::controllers
