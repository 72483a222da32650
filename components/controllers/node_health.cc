#include "controllers/node_health.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr std::array owned_conditions{"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

constexpr const char* not_ready = "node.kubernetes.io/not-ready";
constexpr const char* unreachable = "node.kubernetes.io/unreachable";
constexpr const char* unschedulable = "node.kubernetes.io/unschedulable";

struct PressureTaint {
  std::string_view condition;
  std::string_view key;
};
constexpr std::array pressure_taints{
    PressureTaint{"MemoryPressure", "node.kubernetes.io/memory-pressure"},
    PressureTaint{"DiskPressure", "node.kubernetes.io/disk-pressure"},
    PressureTaint{"PIDPressure", "node.kubernetes.io/pid-pressure"},
    PressureTaint{"NetworkUnavailable", "node.kubernetes.io/network-unavailable"}};

using TaintId = std::pair<std::string, std::string>;  // key and effect

bool is_owned(std::string_view key) {
  if (key == not_ready || key == unreachable || key == unschedulable) return true;
  return std::any_of(pressure_taints.begin(), pressure_taints.end(),
                     [key](const auto& each) { return each.key == key; });
}

json::Value unknown_condition(std::string_view type, const json::Value* current,
                              base::WallTime now) {
  const auto time = base::format_time(now);
  json::Object fresh{{"type", type}, {"status", "Unknown"}};
  if (current != nullptr) {
    fresh["reason"] = "NodeStatusUnknown";
    fresh["message"] = "Kubelet stopped posting node status.";
    if (const auto* heard = json::find(*current, {"lastHeartbeatTime"})) {
      fresh["lastHeartbeatTime"] = *heard;
    }
  } else {
    fresh["reason"] = "NodeStatusNeverUpdated";
    fresh["message"] = "Kubelet never posted node status.";
    fresh["lastHeartbeatTime"] = time;
  }
  fresh["lastTransitionTime"] = time;
  return fresh;
}

std::optional<json::Array> silence(const json::Value& node, base::WallTime now) {
  json::Array conditions = json::array_at(node, {"status", "conditions"});
  bool changed = false;
  for (const std::string_view type : owned_conditions) {
    const auto at = std::find_if(conditions.begin(), conditions.end(), [type](const auto& each) {
      return json::string_at(each, {"type"}) == type;
    });
    if (at == conditions.end()) {
      conditions.push_back(unknown_condition(type, nullptr, now));
    } else if (json::string_at(*at, {"status"}) != "Unknown") {
      *at = unknown_condition(type, &*at, now);
    } else {
      continue;
    }
    changed = true;
  }
  if (!changed) return std::nullopt;
  return conditions;
}

std::vector<TaintId> wanted_taints(const json::Value& node, std::string_view ready, bool all_dark) {
  std::vector<TaintId> wanted;
  if (json::bool_at(node, {"spec", "unschedulable"}))
    wanted.emplace_back(unschedulable, "NoSchedule");
  const bool known = ready == "False" || ready == "Unknown";
  if (known) {
    const char* key = ready == "False" ? not_ready : unreachable;
    wanted.emplace_back(key, "NoSchedule");
    if (!all_dark) wanted.emplace_back(key, "NoExecute");
  }
  // A silent node's pressures are not known.
  if (ready == "Unknown") return wanted;
  for (const auto& each : pressure_taints) {
    if (is_condition_true(node, each.condition)) {
      wanted.emplace_back(std::string(each.key), "NoSchedule");
    }
  }
  return wanted;
}

// Strangers' taints stay; ours that stand keep the time they were added.
std::optional<json::Array> retaint(const json::Value& node, const std::vector<TaintId>& wanted,
                                   base::WallTime now) {
  const auto& current = json::array_at(node, {"spec", "taints"});
  std::vector<TaintId> missing = wanted;
  json::Array taints;
  for (const auto& taint : current) {
    const TaintId id(json::string_at(taint, {"key"}), json::string_at(taint, {"effect"}));
    const auto at = std::find(missing.begin(), missing.end(), id);
    if (is_owned(id.first) && at == missing.end()) continue;
    if (at != missing.end()) missing.erase(at);
    taints.push_back(taint);
  }
  for (const auto& [key, effect] : missing) {
    taints.push_back(
        json::Object{{"key", key}, {"effect", effect}, {"timeAdded", base::format_time(now)}});
  }
  if (taints == current) return std::nullopt;
  return taints;
}

// How long the pod bears the taint: absent for ever, zero not at all.
std::optional<base::Duration> tolerance(const json::Value& taint, const json::Value& pod) {
  const auto key = json::string_at(taint, {"key"});
  bool tolerated = false;
  std::optional<base::Duration> least;
  for (const auto& each : json::array_at(pod, {"spec", "tolerations"})) {
    const auto effect = json::string_at(each, {"effect"});
    const auto tolerated_key = json::string_at(each, {"key"});
    const bool exists = json::string_at(each, {"operator"}) == "Exists";
    if (!effect.empty() && effect != "NoExecute") continue;
    if (tolerated_key.empty() ? !exists : tolerated_key != key) continue;
    const bool same_value = json::string_at(each, {"value"}) == json::string_at(taint, {"value"});
    if (!exists && !same_value) continue;
    tolerated = true;
    const auto seconds = json::int_at(each, {"tolerationSeconds"});
    if (!seconds) continue;
    const base::Duration span = std::chrono::seconds(std::max<std::int64_t>(0, *seconds));
    least = least ? std::min(*least, span) : span;
  }
  if (!tolerated) return base::Duration::zero();
  return least;
}

}  // namespace

std::string_view ready_status(const json::Value& node) {
  const auto* ready = find_condition(node, "Ready");
  return ready != nullptr ? json::string_at(*ready, {"status"}) : std::string_view();
}

NodeHealthPlan plan_node_health(const NodeHealthFacts& facts) {
  NodeHealthPlan plan;
  plan.is_unheard = facts.silent_for >= facts.grace;
  if (plan.is_unheard) plan.conditions = silence(facts.node, facts.now);
  const auto ready = plan.is_unheard ? std::string_view("Unknown") : ready_status(facts.node);
  plan.taints = retaint(facts.node, wanted_taints(facts.node, ready, facts.all_dark), facts.now);
  return plan;
}

std::optional<base::WallTime> eviction_time(const json::Value& node, const json::Value& pod,
                                            base::WallTime not_before, base::WallTime now) {
  std::optional<base::WallTime> first;
  for (const auto& taint : json::array_at(node, {"spec", "taints"})) {
    if (json::string_at(taint, {"effect"}) != "NoExecute") continue;
    const auto bears = tolerance(taint, pod);
    if (!bears) continue;
    if (*bears == base::Duration::zero()) return now;
    const auto added = time_at(taint, {"timeAdded"}).value_or(now);
    const auto ends = std::max(added, not_before) + *bears;
    if (!first || ends < *first) first = ends;
  }
  return first;
}

}  // namespace koi::controllers
