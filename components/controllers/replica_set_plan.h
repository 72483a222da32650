#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// What a ReplicaSet's reconciliation looks at.
struct ReplicaSetFacts {
  const json::Value& replica_set;
  std::vector<api::ObjectPtr> pods{};     // its own, finished and terminating ones aside
  std::vector<api::ObjectPtr> related{};  // pods of all ReplicaSets of the same owner
  base::WallTime now{};
};

struct ReplicaSetPlan {
  std::size_t create = 0;
  std::vector<api::ObjectPtr> remove{};
};

// At most 500 at a time; the rest follows when these are seen.
ReplicaSetPlan plan_replica_set(const ReplicaSetFacts& facts);

// The status that these pods make; `failure` is why pods could not be created or deleted, with the
// reason "FailedCreate" or "FailedDelete".
struct ReplicaFailure {
  std::string reason{};
  std::string message{};
};
json::Value replica_set_status(const ReplicaSetFacts& facts,
                               const std::optional<ReplicaFailure>& failure);

// When the next of the ready pods becomes available; absent when none is about to.
std::optional<base::WallTime> next_availability(const std::vector<api::ObjectPtr>& pods,
                                                base::Duration min_ready, base::WallTime now);

}  // namespace koi::controllers
