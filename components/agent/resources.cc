#include <algorithm>

#include "agent/container_spec.h"
#include "agent/pod_status.h"
#include "agent/quantity.h"

namespace koi::agent {

namespace {

constexpr std::int64_t shares_min = 2;
constexpr std::int64_t shares_max = 262'144;
constexpr std::int64_t shares_per_core = 1024;
constexpr std::int64_t quota_period_micros = 100'000;
constexpr std::int64_t quota_micros_min = 1'000;

// What one container, or a whole pod, asks for. A limit is only one where all have it.
struct Ask {
  std::int64_t cpu_request_milli = 0;
  std::optional<std::int64_t> cpu_limit_milli;
  std::optional<std::int64_t> memory_limit_bytes;
};

std::optional<std::int64_t> positive(std::optional<std::int64_t> value) {
  return value.value_or(0) > 0 ? value : std::nullopt;
}

Ask ask_of(const json::Value& owner) {
  Ask ask;
  ask.cpu_limit_milli =
      positive(parse_milli(json::string_at(owner, {"resources", "limits", "cpu"})));
  ask.memory_limit_bytes =
      positive(parse_whole(json::string_at(owner, {"resources", "limits", "memory"})));
  const auto request = parse_milli(json::string_at(owner, {"resources", "requests", "cpu"}));
  ask.cpu_request_milli = request ? *request : ask.cpu_limit_milli.value_or(0);
  return ask;
}

void add(std::optional<std::int64_t>& sum, std::optional<std::int64_t> value) {
  sum = sum && value ? std::optional(*sum + *value) : std::nullopt;
}

void add(Ask& sum, const Ask& ask) {
  sum.cpu_request_milli += ask.cpu_request_milli;
  add(sum.cpu_limit_milli, ask.cpu_limit_milli);
  add(sum.memory_limit_bytes, ask.memory_limit_bytes);
}

void raise(std::optional<std::int64_t>& to, std::optional<std::int64_t> value) {
  to = to && value ? std::optional(std::max(*to, *value)) : std::nullopt;
}

void raise(Ask& to, const Ask& ask) {
  to.cpu_request_milli = std::max(to.cpu_request_milli, ask.cpu_request_milli);
  raise(to.cpu_limit_milli, ask.cpu_limit_milli);
  raise(to.memory_limit_bytes, ask.memory_limit_bytes);
}

runtime::Resources limits_of(const Ask& ask) {
  runtime::Resources limits;
  const auto shares = ask.cpu_request_milli * shares_per_core / 1000;
  limits.cpu_shares = std::clamp(shares, shares_min, shares_max);
  if (ask.cpu_limit_milli) {
    const auto quota = *ask.cpu_limit_milli * quota_period_micros / 1000;
    limits.cpu_quota_micros = std::max(quota, quota_micros_min);
  }
  limits.memory_bytes_max = ask.memory_limit_bytes;
  return limits;
}

}  // namespace

runtime::Resources container_resources(const json::Value& container) {
  return limits_of(ask_of(container));
}

runtime::Resources pod_resources(const json::Value& pod) {
  Ask whole{0, 0, 0};
  for (const auto& container : json::array_at(pod, {"spec", "containers"})) {
    add(whole, ask_of(container));
  }
  // Sidecars started so far run beside each init container and beside the containers.
  Ask sidecars{0, 0, 0};
  Ask init{0, 0, 0};
  for (const auto& container : json::array_at(pod, {"spec", "initContainers"})) {
    Ask beside = sidecars;
    add(beside, ask_of(container));
    raise(init, beside);
    if (json::string_at(container, {"restartPolicy"}) == "Always") sidecars = beside;
  }
  add(whole, sidecars);
  raise(whole, init);
  if (json::find(pod, {"spec", "resources"})) {
    const json::Value own = json::Object{{"resources", *json::find(pod, {"spec", "resources"})}};
    const Ask ask = ask_of(own);
    if (ask.cpu_request_milli > 0) whole.cpu_request_milli = ask.cpu_request_milli;
    if (ask.cpu_limit_milli) whole.cpu_limit_milli = ask.cpu_limit_milli;
    if (ask.memory_limit_bytes) whole.memory_limit_bytes = ask.memory_limit_bytes;
  }
  return limits_of(whole);
}

int oom_score(const json::Value& pod, const json::Value& container,
              std::int64_t node_memory_bytes) {
  constexpr int guaranteed = -997;
  constexpr int best_effort = 1000;
  const auto qos = qos_class(pod);
  if (json::string_at(pod, {"spec", "priorityClassName"}) == "system-node-critical") {
    return guaranteed;
  }
  if (qos == "guaranteed") return guaranteed;
  if (qos == "besteffort") return best_effort;
  auto text = json::string_at(container, {"resources", "requests", "memory"});
  if (text.empty()) text = json::string_at(container, {"resources", "limits", "memory"});
  const auto request = parse_whole(text).value_or(0);
  if (node_memory_bytes <= 0) return best_effort - 1;
  const double part = static_cast<double>(request) / static_cast<double>(node_memory_bytes);
  const int score = 1000 - static_cast<int>(1000.0 * part);
  return std::clamp(score, 1000 + guaranteed, best_effort - 1);
}

}  // namespace koi::agent
