#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"

// What a Deployment says about its ReplicaSets, and what they say about it. Pure.
namespace koi::controllers {

inline constexpr const char* revision_annotation = "deployment.kubernetes.io/revision";
inline constexpr const char* revision_history_annotation =
    "deployment.kubernetes.io/revision-history";
inline constexpr const char* desired_annotation = "deployment.kubernetes.io/desired-replicas";
inline constexpr const char* max_annotation = "deployment.kubernetes.io/max-replicas";
inline constexpr const char* template_hash_label = "pod-template-hash";

std::int64_t spec_replicas(const json::Value& workload);
std::int64_t status_count(const json::Value& workload, std::string_view field);

bool is_rolling_update(const json::Value& deployment);

// How far a rollout may stray from the wanted count; both 0 for Recreate. A surge is rounded up, an
// unavailability down, and where both come out as 0 one pod may be unavailable.
struct RolloutLimits {
  std::int64_t max_surge = 0;
  std::int64_t max_unavailable = 0;
};
RolloutLimits rollout_limits(const json::Value& deployment);

// A number, or a percentage of `total`: 3 or "25%".
std::int64_t resolve_count(const json::Value& written, std::int64_t total, bool round_up);

// Whether the ReplicaSet was made from this template; the hash label does not count.
bool same_template(const json::Value& deployment, const json::Value& replica_set);

// Stable across restarts and machines; differs where template or collision count do.
std::string template_hash(const json::Value& pod_template, std::int64_t collisions);

// The number in an annotation; absent where there is none.
std::optional<std::int64_t> number_annotation(const json::Value& object, std::string_view name);
std::string_view annotation(const json::Value& object, std::string_view name);
void set_annotation(json::Value& object, std::string_view name, std::string_view value);

std::int64_t revision_number(const json::Value& replica_set);

// Copies the Deployment's annotations and gives the set its revision, keeping the earlier one in
// its history when it is rolled back to.
void annotate_set(json::Value& replica_set, const json::Value& deployment,
                  std::int64_t new_revision);
// Notes how many replicas the Deployment wants and allows, for proportional scaling.
void annotate_replicas(json::Value& replica_set, const json::Value& deployment);

// The ReplicaSet to create for the Deployment's template, with that many replicas.
json::Value build_replica_set(const api::Object& deployment, std::int64_t replicas,
                              std::int64_t new_revision);

}  // namespace koi::controllers
