#include "apiserver/pod_quality.h"

#include "api/quantity.h"

namespace koi::apiserver {

namespace {

struct Amounts {
  api::Quantity cpu;
  api::Quantity memory;
};

api::Quantity amount_at(const json::Value& resources, std::string_view list,
                        std::string_view name) {
  const json::Value* value = json::find(resources, {list, name});
  if (value == nullptr) return {};
  if (value->is_int64()) return api::Quantity::from_value(value->get_int64());
  const auto* text = value->if_string();
  if (text == nullptr) return {};
  const auto quantity = api::Quantity::parse(std::string_view(text->data(), text->size()));
  return quantity ? *quantity : api::Quantity();
}

Amounts amounts_of(const json::Value& resources, std::string_view list) {
  return {amount_at(resources, list, "cpu"), amount_at(resources, list, "memory")};
}

bool is_none(const Amounts& amounts) { return amounts.cpu.is_zero() && amounts.memory.is_zero(); }

}  // namespace

std::string_view quality_class(const json::Value& pod) {
  bool any = false;
  bool all_guaranteed = true;
  const auto look = [&](const json::Value& resources) {
    const Amounts requests = amounts_of(resources, "requests");
    const Amounts limits = amounts_of(resources, "limits");
    if (!is_none(requests) || !is_none(limits)) any = true;
    // A missing request is the limit.
    const bool same = (requests.cpu.is_zero() || requests.cpu == limits.cpu) &&
                      (requests.memory.is_zero() || requests.memory == limits.memory);
    if (limits.cpu.is_zero() || limits.memory.is_zero() || !same) all_guaranteed = false;
  };
  const json::Value nothing = json::Object();
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const json::Value& container : json::array_at(pod, {"spec", list})) {
      const json::Value* resources = json::find(container, {"resources"});
      look(resources != nullptr ? *resources : nothing);
    }
  }
  if (!any) return "BestEffort";
  return all_guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace koi::apiserver
