#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// What a Deployment's reconciliation looks at.
struct DeploymentFacts {
  const api::Object& deployment;
  std::vector<api::ObjectPtr> sets{};  // the ReplicaSets it owns
  bool old_pods_run = false;           // unfinished pods of sets of earlier templates
  base::WallTime now{};
};

// One ReplicaSet as it has to become.
struct SetUpdate {
  api::ObjectPtr before{};
  json::Value after{};
  std::string event{};  // "Scaled up replica set ..."; empty where the count stays
};

struct DeploymentPlan {
  std::optional<json::Value> create{};  // the ReplicaSet of the current template
  std::string create_event{};
  std::vector<SetUpdate> updates{};
  std::vector<api::ObjectPtr> remove{};  // sets beyond the history limit
  std::string revision{};                // to note on the Deployment; empty: as it is
  json::Value status{};
  std::optional<base::WallTime> check_again{};
};

// The next step of bringing the Deployment where it wants to be. Carrying a plan out and planning
// again on what results converges.
DeploymentPlan plan_deployment(const DeploymentFacts& facts);

}  // namespace koi::controllers
