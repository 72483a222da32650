#include "controllers/pod_state.h"

namespace koi::controllers {

const json::Value* find_condition(const json::Value& object, std::string_view type) {
  for (const auto& condition : json::array_at(object, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

bool is_condition_true(const json::Value& object, std::string_view type) {
  const auto* condition = find_condition(object, type);
  return condition != nullptr && json::string_at(*condition, {"status"}) == "True";
}

bool is_pod_finished(const api::Object& pod) {
  const auto phase = json::string_at(pod.value(), {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

bool is_pod_active(const api::Object& pod) {
  return !is_pod_finished(pod) && !pod.is_terminating();
}

bool is_pod_ready(const api::Object& pod) { return is_condition_true(pod.value(), "Ready"); }

std::optional<base::WallTime> time_at(const json::Value& object, json::Path path) {
  const auto parsed = base::parse_time(json::string_at(object, path));
  if (!parsed) return std::nullopt;
  return *parsed;
}

std::optional<base::WallTime> pod_available_at(const api::Object& pod, base::Duration min_ready) {
  const auto* ready = find_condition(pod.value(), "Ready");
  if (ready == nullptr || json::string_at(*ready, {"status"}) != "True") return std::nullopt;
  if (min_ready <= base::Duration::zero()) return base::WallTime::min();
  const auto since = time_at(*ready, {"lastTransitionTime"});
  if (!since) return std::nullopt;
  return *since + min_ready;
}

}  // namespace koi::controllers
