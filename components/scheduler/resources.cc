#include "scheduler/resources.h"

#include <algorithm>

#include "api/quantity.h"

namespace koi::scheduler {

namespace {

constexpr std::int64_t default_milli_cpu = 100;
constexpr std::int64_t default_memory_bytes = 200 * 1024 * 1024;

api::Quantity quantity_of(const json::Value& value) {
  if (value.is_string()) {
    const auto parsed = api::Quantity::parse(json::string_at(value, {}));
    return parsed ? *parsed : api::Quantity();
  }
  return api::Quantity::from_value(json::int_at(value, {}, 0));
}

bool is_sidecar(const json::Value& container) {
  return json::string_at(container, {"restartPolicy"}) == "Always";
}

// Sums containers by `request_of`, with the rule that init containers run one by one beside the
// sidecars begun before them.
template <class RequestOf>
Resources sum_containers(const json::Value& pod, RequestOf request_of) {
  Resources together;
  for (const auto& container : json::array_at(pod, {"spec", "containers"})) {
    together.add(request_of(container));
  }
  Resources sidecars;
  Resources peak;
  for (const auto& container : json::array_at(pod, {"spec", "initContainers"})) {
    Resources step = request_of(container);
    step.add(sidecars);
    peak.raise_to(step);
    if (is_sidecar(container)) sidecars = std::move(step);
  }
  together.add(sidecars);
  together.raise_to(peak);
  return together;
}

Resources container_request(const json::Value& container) {
  return Resources::parse(json::object_at(container, {"resources", "requests"}));
}

// Pod-level requests replace the sum, name by name.
void apply_pod_level(const json::Value& pod, Resources& sum) {
  const auto& requests = json::object_at(pod, {"spec", "resources", "requests"});
  for (const auto& [name, value] : requests) {
    const auto quantity = quantity_of(value);
    sum.set(name, name == "cpu" ? quantity.milli_value() : quantity.value());
  }
}

}  // namespace

Resources Resources::parse(const json::Object& list) {
  Resources parsed;
  for (const auto& [name, value] : list) {
    const auto quantity = quantity_of(value);
    parsed.set(name, name == "cpu" ? quantity.milli_value() : quantity.value());
  }
  return parsed;
}

void Resources::set(std::string_view name, std::int64_t amount) {
  if (name == "cpu") {
    milli_cpu = amount;
  } else if (name == "memory") {
    memory_bytes = amount;
  } else if (name == "ephemeral-storage") {
    ephemeral_bytes = amount;
  } else if (name != "pods") {
    const auto at = std::lower_bound(extended.begin(), extended.end(), name,
                                     [](const auto& each, auto key) { return each.first < key; });
    if (at != extended.end() && at->first == name) {
      at->second = amount;
    } else {
      extended.emplace(at, std::string(name), amount);
    }
  }
}

std::int64_t Resources::extended_amount(std::string_view name) const {
  for (const auto& [each, amount] : extended) {
    if (each == name) return amount;
  }
  return 0;
}

void Resources::add(const Resources& other) {
  milli_cpu += other.milli_cpu;
  memory_bytes += other.memory_bytes;
  ephemeral_bytes += other.ephemeral_bytes;
  for (const auto& [name, amount] : other.extended) set(name, extended_amount(name) + amount);
}

void Resources::subtract(const Resources& other) {
  milli_cpu -= other.milli_cpu;
  memory_bytes -= other.memory_bytes;
  ephemeral_bytes -= other.ephemeral_bytes;
  for (const auto& [name, amount] : other.extended) set(name, extended_amount(name) - amount);
}

void Resources::raise_to(const Resources& other) {
  milli_cpu = std::max(milli_cpu, other.milli_cpu);
  memory_bytes = std::max(memory_bytes, other.memory_bytes);
  ephemeral_bytes = std::max(ephemeral_bytes, other.ephemeral_bytes);
  for (const auto& [name, amount] : other.extended) {
    set(name, std::max(extended_amount(name), amount));
  }
}

Resources pod_requests(const json::Value& pod) {
  Resources sum = sum_containers(pod, container_request);
  apply_pod_level(pod, sum);
  sum.add(Resources::parse(json::object_at(pod, {"spec", "overhead"})));
  return sum;
}

ScoringRequest scoring_request(const json::Value& pod) {
  const auto with_defaults = [](const json::Value& container) {
    Resources request = container_request(container);
    const auto& given = json::object_at(container, {"resources", "requests"});
    if (!given.contains("cpu")) request.milli_cpu = default_milli_cpu;
    if (!given.contains("memory")) request.memory_bytes = default_memory_bytes;
    return request;
  };
  Resources sum = sum_containers(pod, with_defaults);
  apply_pod_level(pod, sum);
  sum.add(Resources::parse(json::object_at(pod, {"spec", "overhead"})));
  return {.milli_cpu = sum.milli_cpu, .memory_bytes = sum.memory_bytes};
}

}  // namespace koi::scheduler
