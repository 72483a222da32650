#include "apiserver/pod_parts.h"

#include <algorithm>

#include "api/selectors.h"
#include "apiserver/delete_options.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

constexpr std::int64_t eviction_retry_seconds = 10;

Written created_status() {
  api::Status status = api::success_status({}, "");
  status.http_code = 201;
  return {api::make_object(status.to_json()), true};
}

void set_scheduled(json::Value& pod, base::WallTime now) {
  json::Array& conditions = json::ensure_array(pod, {"status", "conditions"});
  for (json::Value& condition : conditions) {
    if (json::string_at(condition, {"type"}) != "PodScheduled") continue;
    if (json::string_at(condition, {"status"}) == "True") return;
    condition = {{"type", "PodScheduled"},
                 {"status", "True"},
                 {"lastProbeTime", nullptr},
                 {"lastTransitionTime", base::format_time(now)}};
    return;
  }
  conditions.push_back({{"type", "PodScheduled"},
                        {"status", "True"},
                        {"lastProbeTime", nullptr},
                        {"lastTransitionTime", base::format_time(now)}});
}

StatusOr<json::Value> bound(const Call& call, const json::Value& pod, const json::Value& binding,
                            base::WallTime now) {
  const api::ResourceName about{"", "pods/binding", call.name};
  const std::string_view uid = json::string_at(binding, {"metadata", "uid"});
  if (!uid.empty() && uid != json::string_at(pod, {"metadata", "uid"})) {
    return std::unexpected(api::conflict_status(
        about,
        "Precondition failed: UID in precondition: " + std::string(uid) +
            ", UID in object meta: " + std::string(json::string_at(pod, {"metadata", "uid"}))));
  }
  if (json::find(pod, {"metadata", "deletionTimestamp"}) != nullptr) {
    return std::unexpected(api::conflict_status(
        about, "pod " + call.name + " is being deleted, cannot be assigned to a host"));
  }
  const std::string_view node = json::string_at(pod, {"spec", "nodeName"});
  if (!node.empty()) {
    return std::unexpected(api::conflict_status(
        about, "pod " + call.name + " is already assigned to node " + api::quoted(node)));
  }
  json::Value next = pod;
  json::set(next, {"spec", "nodeName"}, json::Value(json::string_at(binding, {"target", "name"})));
  for (const auto& [key, value] : json::object_at(binding, {"metadata", "annotations"})) {
    json::ensure_object(next, {"metadata", "annotations"})[key] = value;
  }
  set_scheduled(next, now);
  json::erase(next, {"metadata", "resourceVersion"});
  return next;
}

// A budget's own arithmetic, from the pods that are there now: whether one more may go.
struct BudgetState {
  std::int64_t healthy = 0;
  std::int64_t expected = 0;
};

bool is_ready(const json::Value& pod) {
  return std::ranges::any_of(json::array_at(pod, {"status", "conditions"}), [](const auto& entry) {
    return json::string_at(entry, {"type"}) == "Ready" &&
           json::string_at(entry, {"status"}) == "True";
  });
}

// A count or a percentage of `total`, rounded up.
std::int64_t amount_of(const json::Value& value, std::int64_t total) {
  if (value.is_int64()) return value.get_int64();
  const auto* text = value.if_string();
  if (text == nullptr || !text->ends_with('%')) return 0;
  std::int64_t percent = 0;
  for (const char c : std::string_view(text->data(), text->size() - 1)) {
    if (c < '0' || c > '9' || percent > 1000) return 0;
    percent = percent * 10 + (c - '0');
  }
  return (percent * total + 99) / 100;
}

bool allows_one_more(const json::Value& budget, const BudgetState& state) {
  if (const json::Value* min = json::find(budget, {"spec", "minAvailable"})) {
    return state.healthy - 1 >= amount_of(*min, state.expected);
  }
  if (const json::Value* max = json::find(budget, {"spec", "maxUnavailable"})) {
    return state.expected - (state.healthy - 1) <= amount_of(*max, state.expected);
  }
  return true;
}

StatusOr<void> check_budgets(const Operations& operations, const Call& call,
                             const json::Value& pod) {
  const Resource* budgets = operations.catalog().find_any_version("policy", "poddisruptionbudgets");
  if (budgets == nullptr) return {};
  const auto range = operations.store().range(budgets->collection(call.name_space), {});
  if (!range) return {};
  for (const auto& entry : range->entries) {
    const json::Value& budget = entry->object->value();
    const auto selector = api::LabelSelector::from_object(json::find(budget, {"spec", "selector"}));
    if (!selector || !selector->matches_object(pod)) continue;
    const auto pods = operations.store().range(call.resource->collection(call.name_space), {});
    if (!pods) continue;
    BudgetState state;
    for (const auto& other : pods->entries) {
      const json::Value& value = other->object->value();
      const std::string_view phase = json::string_at(value, {"status", "phase"});
      if (!selector->matches_object(value) || phase == "Succeeded" || phase == "Failed") continue;
      ++state.expected;
      if (is_ready(value) && !other->object->is_terminating()) ++state.healthy;
    }
    // A pod that is not healthy disturbs nobody by going.
    if (!is_ready(pod) || allows_one_more(budget, state)) continue;
    api::Status status = api::too_many_requests_status(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        eviction_retry_seconds);
    status.details.causes.push_back(
        {"DisruptionBudget",
         "The disruption budget " + std::string(entry->object->name()) +
             " does not allow evicting pods currently because it needs more healthy pods",
         ""});
    return std::unexpected(std::move(status));
  }
  return {};
}

}  // namespace

Outcome<Written> bind_pod(Operations& operations, const Call& given, const json::Value& binding) {
  Call call = given;
  if (call.name.empty()) call.name = json::string_at(binding, {"metadata", "name"});
  const std::string_view kind = json::string_at(binding, {"target", "kind"});
  api::FieldErrors errors;
  if (!kind.empty() && kind != "Node") {
    errors.push_back(api::not_supported("target.kind", json::Value(kind), {"Node", "<empty>"}));
  }
  if (json::string_at(binding, {"target", "name"}).empty()) {
    errors.push_back(api::required("target.name"));
  }
  if (!errors.empty()) {
    co_return std::unexpected(api::invalid_status("", "Binding", call.name, errors));
  }
  call.resource = operations.catalog().find("", "v1", "pods");
  call.subresource = "binding";
  const base::WallTime now = operations.clock().wall_now();
  const Change change = [&](const json::Value& pod) { return bound(call, pod, binding, now); };
  auto written = co_await operations.change(call, change);
  if (!written) co_return written;
  co_return created_status();
}

Outcome<Written> evict_pod(Operations& operations, const Call& call, const json::Value& eviction) {
  auto pod = operations.get(call);
  if (!pod) co_return std::unexpected(pod.error());
  auto query = delete_query_from(eviction, "deleteOptions");
  if (!query) co_return std::unexpected(query.error());
  if (auto allowed = check_budgets(operations, call, (*pod)->value()); !allowed) {
    co_return std::unexpected(allowed.error());
  }
  auto removed = co_await operations.remove(call, *query);
  if (!removed) co_return std::unexpected(removed.error());
  co_return created_status();
}

}  // namespace koi::apiserver
