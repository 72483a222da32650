#include "agent/pod_conditions.h"

#include <algorithm>
#include <array>

namespace koi::agent {

namespace {

struct Condition {
  bool holds = false;
  std::string reason;
  std::string message;
};

std::string join_names(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const auto& name : names) text += (text.size() > 1 ? " " : "") + name;
  return text + "]";
}

Condition initialized(const PodView& pod, const PodObserved& seen, std::string_view phase) {
  if (phase == "Succeeded") return {true, "PodCompleted", ""};
  std::vector<std::string> incomplete;
  for (const auto& container : pod.containers) {
    if (container.kind == ContainerKind::app || seen.initialized) continue;
    const auto& state = seen.at(container.name);
    const bool done = container.kind == ContainerKind::init ? state.succeeded()
                                                            : state.running() && state.started;
    if (!done) incomplete.push_back(container.name);
  }
  if (incomplete.empty()) return {true, "", ""};
  return {false, "ContainersNotInitialized",
          "containers with incomplete status: " + join_names(incomplete)};
}

Condition containers_ready(const PodView& pod, const json::Value& status, std::string_view phase) {
  if (phase == "Succeeded") return {false, "PodCompleted", ""};
  if (phase == "Failed") return {false, "PodFailed", ""};
  std::vector<std::string> unready;
  for (const auto* field : {"initContainerStatuses", "containerStatuses"}) {
    for (const auto& entry : json::array_at(status, {field})) {
      const auto name = json::string_at(entry, {"name"});
      const auto* container = pod.find_container(name);
      if (!container || container->kind == ContainerKind::init) continue;
      if (!json::bool_at(entry, {"ready"})) unready.emplace_back(name);
    }
  }
  if (unready.empty()) return {true, "", ""};
  return {false, "ContainersNotReady", "containers with unready status: " + join_names(unready)};
}

Condition pod_ready(const PodView& pod, const Condition& containers, const json::Value& before) {
  if (!containers.holds) return containers;
  std::string message;
  for (const auto& gate : json::array_at(pod.value(), {"spec", "readinessGates"})) {
    const auto type = json::string_at(gate, {"conditionType"});
    const auto* condition = find_condition(before, type);
    const std::string quoted = "pod readiness gate \"" + std::string(type) + "\"";
    const auto status = condition ? json::string_at(*condition, {"status"}) : std::string_view();
    if (status == "True") continue;
    if (!message.empty()) message += ", ";
    message += condition
                   ? "the status of " + quoted + " is not \"True\", but " + std::string(status)
                   : "corresponding condition of " + quoted + " does not exist.";
  }
  if (message.empty()) return {true, "", ""};
  return {false, "ReadinessGatesNotReady", message};
}

json::Value shape(std::string_view type, const Condition& condition, const PodView& pod,
                  const json::Value& before, base::WallTime now) {
  json::Object shown{{"type", type}, {"status", condition.holds ? "True" : "False"}};
  const auto* old = find_condition(before, type);
  const bool same = old && json::string_at(*old, {"status"}) == json::string_at(shown, {"status"});
  const auto since = same ? json::string_at(*old, {"lastTransitionTime"}) : std::string_view();
  shown["lastTransitionTime"] = since.empty() ? base::format_time(now) : std::string(since);
  if (!condition.reason.empty()) shown["reason"] = condition.reason;
  if (!condition.message.empty()) shown["message"] = condition.message;
  if (const auto generation = json::int_at(pod.value(), {"metadata", "generation"})) {
    shown["observedGeneration"] = *generation;
  }
  return shown;
}

}  // namespace

bool is_agent_condition(std::string_view type) {
  static constexpr std::array<std::string_view, 4> own = {
      "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"};
  return std::ranges::find(own, type) != own.end();
}

const json::Value* find_condition(const json::Value& status, std::string_view type) {
  for (const auto& condition : json::array_at(status, {"conditions"})) {
    if (json::string_at(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

json::Array pod_conditions(const PodView& pod, const PodObserved& seen, std::string_view phase,
                           const json::Value& status, const json::Value& before,
                           base::WallTime now) {
  const bool sandbox = seen.sandbox_up && seen.network_ready && !seen.torn_down;
  const Condition containers = containers_ready(pod, status, phase);
  json::Array conditions;
  conditions.push_back(shape("PodReadyToStartContainers", {sandbox, "", ""}, pod, before, now));
  conditions.push_back(shape("Initialized", initialized(pod, seen, phase), pod, before, now));
  conditions.push_back(shape("Ready", pod_ready(pod, containers, before), pod, before, now));
  conditions.push_back(shape("ContainersReady", containers, pod, before, now));
  for (const auto& condition : json::array_at(before, {"conditions"})) {
    if (!is_agent_condition(json::string_at(condition, {"type"}))) conditions.push_back(condition);
  }
  return conditions;
}

}  // namespace koi::agent
