#include "controllers/deployment_status.h"

#include <algorithm>
#include <limits>

#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr std::string_view progressing = "Progressing";
constexpr std::string_view available_reason = "NewReplicaSetAvailable";
constexpr std::string_view timed_out_reason = "ProgressDeadlineExceeded";

std::int64_t field(const json::Value& status, std::string_view name) {
  return json::int_at(status, {name}, 0);
}

std::string_view reason_of(const json::Value* condition) {
  return condition != nullptr ? json::string_at(*condition, {"reason"}) : std::string_view();
}

void set_count(json::Value& status, std::string_view name, std::int64_t count) {
  if (count > 0) json::set(status, {name}, count);
}

json::Value counts(const DeploymentStatusFacts& facts) {
  std::int64_t total = 0;
  std::int64_t ready = 0;
  std::int64_t available = 0;
  for (const auto* set : facts.sets) {
    total += status_count(*set, "replicas");
    ready += status_count(*set, "readyReplicas");
    available += status_count(*set, "availableReplicas");
  }
  const auto& deployment = facts.deployment.value();
  json::Value status = json::Object();
  set_count(status, "observedGeneration", json::int_at(deployment, {"metadata", "generation"}, 0));
  set_count(status, "replicas", total);
  if (facts.new_set != nullptr) {
    set_count(status, "updatedReplicas", status_count(*facts.new_set, "replicas"));
  }
  set_count(status, "readyReplicas", ready);
  set_count(status, "availableReplicas", available);
  set_count(status, "unavailableReplicas", total - available);
  if (const auto* collisions = json::find(deployment, {"status", "collisionCount"})) {
    json::set(status, {"collisionCount"}, *collisions);
  }
  return status;
}

void set_available(json::Array& conditions, const DeploymentStatusFacts& facts,
                   const json::Value& status) {
  const auto& deployment = facts.deployment.value();
  const auto least = spec_replicas(deployment) - rollout_limits(deployment).max_unavailable;
  if (field(status, "availableReplicas") >= least) {
    const ConditionChange change{"Available", "True", "MinimumReplicasAvailable",
                                 "Deployment has minimum availability."};
    set_condition(conditions, change, facts.now);
  } else {
    const ConditionChange change{"Available", "False", "MinimumReplicasUnavailable",
                                 "Deployment does not have minimum availability."};
    set_condition(conditions, change, facts.now);
  }
}

// Copies the failure of the newest set, or else of any other.
void set_failure(json::Array& conditions, const DeploymentStatusFacts& facts) {
  const json::Value* failure = nullptr;
  if (facts.new_set != nullptr) failure = find_condition(*facts.new_set, "ReplicaFailure");
  for (const auto* set : facts.sets) {
    if (failure == nullptr) failure = find_condition(*set, "ReplicaFailure");
  }
  if (failure == nullptr) {
    remove_condition(conditions, "ReplicaFailure");
    return;
  }
  const ConditionChange change{"ReplicaFailure", json::string_at(*failure, {"status"}),
                               json::string_at(*failure, {"reason"}),
                               json::string_at(*failure, {"message"})};
  set_condition(conditions, change, facts.now);
}

bool makes_progress(const json::Value& deployment, const json::Value& status) {
  const auto old_rest =
      status_count(deployment, "replicas") - status_count(deployment, "updatedReplicas");
  const auto rest = field(status, "replicas") - field(status, "updatedReplicas");
  return field(status, "updatedReplicas") > status_count(deployment, "updatedReplicas") ||
         rest < old_rest ||
         field(status, "readyReplicas") > status_count(deployment, "readyReplicas") ||
         field(status, "availableReplicas") > status_count(deployment, "availableReplicas");
}

std::optional<base::WallTime> deadline_of(const json::Value& deployment,
                                          const json::Value* condition) {
  if (condition == nullptr) return std::nullopt;
  const auto since = time_at(*condition, {"lastUpdateTime"});
  if (!since) return std::nullopt;
  return *since +
         std::chrono::seconds(json::int_at(deployment, {"spec", "progressDeadlineSeconds"}, 600));
}

bool is_timed_out(const DeploymentStatusFacts& facts, const json::Array& conditions) {
  const auto* condition = find_in(conditions, progressing);
  if (reason_of(condition) == available_reason) return false;
  if (reason_of(condition) == timed_out_reason) return true;
  const auto deadline = deadline_of(facts.deployment.value(), condition);
  return deadline && *deadline < facts.now;
}

void set_progress(json::Array& conditions, const DeploymentStatusFacts& facts,
                  const json::Value& status) {
  const auto& deployment = facts.deployment.value();
  const auto* current = find_in(facts.conditions, progressing);
  const bool was_complete = field(status, "replicas") == field(status, "updatedReplicas") &&
                            reason_of(current) == available_reason;
  if (was_complete) return;
  const bool has_set = facts.new_set != nullptr;
  const std::string name(has_set ? json::string_at(*facts.new_set, {"metadata", "name"})
                                 : facts.deployment.name());
  const std::string subject = (has_set ? "ReplicaSet \"" : "Deployment \"") + name + "\" ";
  if (is_complete(deployment, status)) {
    const auto message = subject + "has successfully progressed.";
    set_condition(conditions, {progressing, "True", available_reason, message}, facts.now);
  } else if (makes_progress(deployment, status)) {
    const auto message = subject + "is progressing.";
    // Progress renews the update time on which the deadline counts, also for an equal reason.
    json::Value transition;
    if (current != nullptr && json::string_at(*current, {"status"}) == "True") {
      transition =
          json::Value(boost::json::string(json::string_at(*current, {"lastTransitionTime"})));
    }
    remove_condition(conditions, progressing);
    set_condition(conditions, {progressing, "True", "ReplicaSetUpdated", message}, facts.now);
    if (transition.is_string()) {
      json::set(conditions.back(), {"lastTransitionTime"}, std::move(transition));
    }
  } else if (is_timed_out(facts, conditions)) {
    const auto message = subject + "has timed out progressing.";
    set_condition(conditions, {progressing, "False", timed_out_reason, message}, facts.now);
  }
}

}  // namespace

const json::Value* find_in(const json::Array& conditions, std::string_view type) {
  for (const auto& condition : conditions) {
    if (json::string_at(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

void remove_condition(json::Array& conditions, std::string_view type) {
  const auto* found = find_in(conditions, type);
  if (found != nullptr) conditions.erase(conditions.begin() + (found - conditions.data()));
}

void set_condition(json::Array& conditions, const ConditionChange& change, base::WallTime now) {
  const auto* current = find_in(conditions, change.type);
  std::string transition = base::format_time(now);
  if (current != nullptr && json::string_at(*current, {"status"}) == change.status) {
    if (json::string_at(*current, {"reason"}) == change.reason) return;
    transition = json::string_at(*current, {"lastTransitionTime"});
  }
  json::Value fresh = json::Object{{"type", change.type},
                                   {"status", change.status},
                                   {"lastUpdateTime", base::format_time(now)},
                                   {"lastTransitionTime", transition},
                                   {"reason", change.reason},
                                   {"message", change.message}};
  remove_condition(conditions, change.type);
  conditions.push_back(std::move(fresh));
}

bool has_progress_deadline(const json::Value& deployment) {
  const auto seconds = json::int_at(deployment, {"spec", "progressDeadlineSeconds"});
  return seconds && *seconds != std::numeric_limits<std::int32_t>::max();
}

bool is_complete(const json::Value& deployment, const json::Value& status) {
  const auto wanted = spec_replicas(deployment);
  return field(status, "updatedReplicas") == wanted && field(status, "replicas") == wanted &&
         field(status, "availableReplicas") == wanted &&
         field(status, "observedGeneration") >=
             json::int_at(deployment, {"metadata", "generation"}, 0);
}

json::Value deployment_status(const DeploymentStatusFacts& facts, bool rolling_out) {
  json::Value status = counts(facts);
  json::Array conditions = facts.conditions;
  set_available(conditions, facts, status);
  if (rolling_out) {
    if (has_progress_deadline(facts.deployment.value())) {
      set_progress(conditions, facts, status);
    } else {
      remove_condition(conditions, progressing);
    }
    set_failure(conditions, facts);
  }
  json::set(status, {"conditions"}, std::move(conditions));
  return status;
}

std::optional<base::WallTime> deadline_check(const json::Value& deployment,
                                             const json::Value& status) {
  if (!has_progress_deadline(deployment) || is_complete(deployment, status)) return std::nullopt;
  if (json::bool_at(deployment, {"spec", "paused"})) return std::nullopt;
  const auto* condition = find_in(json::array_at(status, {"conditions"}), progressing);
  const auto reason = reason_of(condition);
  if (reason == timed_out_reason || reason == available_reason) return std::nullopt;
  const auto deadline = deadline_of(deployment, condition);
  if (!deadline) return std::nullopt;
  return *deadline + std::chrono::seconds(1);
}

}  // namespace koi::controllers
