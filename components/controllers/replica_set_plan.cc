#include "controllers/replica_set_plan.h"

#include <algorithm>

#include "api/selectors.h"
#include "controllers/delete_rank.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr std::size_t burst_pods_max = 500;

base::Duration min_ready_of(const json::Value& workload) {
  return std::chrono::seconds(json::int_at(workload, {"spec", "minReadySeconds"}, 0));
}

}  // namespace

ReplicaSetPlan plan_replica_set(const ReplicaSetFacts& facts) {
  ReplicaSetPlan plan;
  if (json::find(facts.replica_set, {"metadata", "deletionTimestamp"}) != nullptr) return plan;
  const auto wanted = static_cast<std::size_t>(
      std::max<std::int64_t>(0, json::int_at(facts.replica_set, {"spec", "replicas"}, 1)));
  const auto have = facts.pods.size();
  if (have < wanted) {
    plan.create = std::min(wanted - have, burst_pods_max);
  } else if (have > wanted) {
    plan.remove = choose_pods_to_delete(facts.pods, facts.related,
                                        std::min(have - wanted, burst_pods_max), facts.now);
  }
  return plan;
}

json::Value replica_set_status(const ReplicaSetFacts& facts,
                               const std::optional<ReplicaFailure>& failure) {
  const auto labels = api::LabelSelector::from_map(
      json::object_at(facts.replica_set, {"spec", "template", "metadata", "labels"}));
  const auto min_ready = min_ready_of(facts.replica_set);
  std::int64_t labeled = 0;
  std::int64_t ready = 0;
  std::int64_t available = 0;
  for (const auto& pod : facts.pods) {
    if (labels.matches_object(pod->value())) ++labeled;
    if (is_pod_ready(*pod)) ++ready;
    const auto at = pod_available_at(*pod, min_ready);
    if (at && *at <= facts.now) ++available;
  }
  json::Value status = json::Object();
  json::set(status, {"replicas"}, static_cast<std::int64_t>(facts.pods.size()));
  if (labeled > 0) json::set(status, {"fullyLabeledReplicas"}, labeled);
  if (ready > 0) json::set(status, {"readyReplicas"}, ready);
  if (available > 0) json::set(status, {"availableReplicas"}, available);
  json::set(status, {"observedGeneration"},
            json::int_at(facts.replica_set, {"metadata", "generation"}, 0));
  json::Array conditions;
  for (const auto& condition : json::array_at(facts.replica_set, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) != "ReplicaFailure") {
      conditions.push_back(condition);
    } else if (failure && json::string_at(condition, {"reason"}) == failure->reason) {
      conditions.push_back(condition);
    }
  }
  const bool listed =
      std::any_of(conditions.begin(), conditions.end(), [](const json::Value& condition) {
        return json::string_at(condition, {"type"}) == "ReplicaFailure";
      });
  if (failure && !listed) {
    conditions.push_back(make_condition("ReplicaFailure", true, failure->reason, failure->message,
                                        base::format_time(facts.now)));
  }
  if (!conditions.empty()) json::set(status, {"conditions"}, std::move(conditions));
  return status;
}

std::optional<base::WallTime> next_availability(const std::vector<api::ObjectPtr>& pods,
                                                base::Duration min_ready, base::WallTime now) {
  std::optional<base::WallTime> next;
  for (const auto& pod : pods) {
    const auto at = pod_available_at(*pod, min_ready);
    if (at && *at > now && (!next || *at < *next)) next = at;
  }
  return next;
}

}  // namespace koi::controllers
