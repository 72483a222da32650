#include "api/convert.h"

#include <span>
#include <string>

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;

constexpr std::string_view events_group = "events.k8s.io";
constexpr std::string_view autoscaling_group = "autoscaling";

struct Names {
  std::string_view core;
  std::string_view events;
};

constexpr Names event_names[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

void move_member(Object& object, std::string_view source, std::string_view target) {
  auto* found = object.if_contains(source);
  if (found == nullptr) return;
  Value value = std::move(*found);
  object.erase(source);
  object[target] = std::move(value);
}

void convert_event(Object& object, bool to_core) {
  for (const Names& names : event_names) {
    move_member(object, to_core ? names.events : names.core, to_core ? names.core : names.events);
  }
}

// Where the first version keeps what it has no field for: JSON in annotations.
struct Annotation {
  std::string_view name;
  std::string_view part;  // spec or status
  std::string_view field;
};

constexpr Annotation metrics{"autoscaling.alpha.kubernetes.io/metrics", "spec", "metrics"};
constexpr Annotation behavior{"autoscaling.alpha.kubernetes.io/behavior", "spec", "behavior"};
constexpr Annotation current_metrics{"autoscaling.alpha.kubernetes.io/current-metrics", "status",
                                     "currentMetrics"};
constexpr Annotation conditions{"autoscaling.alpha.kubernetes.io/conditions", "status",
                                "conditions"};

bool is_cpu_share(const Value& metric, std::string_view side) {
  return json::string_at(metric, {"type"}) == "Resource" &&
         json::string_at(metric, {"resource", "name"}) == "cpu" &&
         json::int_at(metric, {"resource", side, "averageUtilization"}).has_value();
}

// Takes the first CPU metric out of a list and into the one number that the first version has.
void take_cpu(Value& object, const Annotation& list, std::string_view side,
              std::string_view number) {
  Value* found = json::find(object, {list.part, list.field});
  auto* items = found != nullptr ? found->if_array() : nullptr;
  if (items == nullptr) return;
  Array rest;
  std::optional<std::int64_t> share;
  for (auto& item : *items) {
    if (!share && is_cpu_share(item, side)) {
      share = json::int_at(item, {"resource", side, "averageUtilization"});
    } else {
      rest.push_back(std::move(item));
    }
  }
  if (share) json::set(object, {list.part, number}, Value(*share));
  if (rest.empty()) {
    json::erase(object, {list.part, list.field});
  } else {
    json::set(object, {list.part, list.field}, std::move(rest));
  }
}

void to_annotation(Value& object, const Annotation& place) {
  const Value* value = json::find(object, {place.part, place.field});
  if (value == nullptr) return;
  const std::string text = json::serialize(*value);
  json::set(object, {"metadata", "annotations", place.name}, Value(text));
  json::erase(object, {place.part, place.field});
}

void from_annotation(Value& object, const Annotation& place) {
  const std::string text(json::string_at(object, {"metadata", "annotations", place.name}));
  if (text.empty()) return;
  json::erase(object, {"metadata", "annotations", place.name});
  auto value = json::parse(text);
  const bool fits =
      value && (place.field == behavior.field ? value->is_object() : value->is_array());
  if (fits) json::set(object, {place.part, place.field}, std::move(*value));
}

// Puts the one number of the first version in front of the list.
void give_cpu(Value& object, const Annotation& list, std::string_view side,
              std::string_view number) {
  const auto share = json::int_at(object, {list.part, number});
  json::erase(object, {list.part, number});
  if (!share) return;
  Value metric = {{"type", "Resource"}, {"resource", {{"name", "cpu"}}}};
  json::set(metric, {"resource", side, "averageUtilization"}, Value(*share));
  if (side == "target") json::set(metric, {"resource", side, "type"}, "Utilization");
  auto& items = json::ensure_array(object, {list.part, list.field});
  items.insert(items.begin(), std::move(metric));
}

void drop_empty_annotations(Value& object) {
  const Value* left = json::find(object, {"metadata", "annotations"});
  if (left != nullptr && left->is_object() && left->get_object().empty()) {
    json::erase(object, {"metadata", "annotations"});
  }
}

void autoscaler_to_v1(Value& object) {
  take_cpu(object, metrics, "target", "targetCPUUtilizationPercentage");
  take_cpu(object, current_metrics, "current", "currentCPUUtilizationPercentage");
  for (const auto& place : {metrics, behavior, current_metrics, conditions}) {
    to_annotation(object, place);
  }
}

void autoscaler_to_v2(Value& object) {
  for (const auto& place : {metrics, behavior, current_metrics, conditions}) {
    from_annotation(object, place);
  }
  give_cpu(object, metrics, "target", "targetCPUUtilizationPercentage");
  give_cpu(object, current_metrics, "current", "currentCPUUtilizationPercentage");
  drop_empty_annotations(object);
}

bool is_event(const Kind& kind) {
  return kind.kind == "Event" && (kind.group.empty() || kind.group == events_group);
}

bool is_autoscaler(const Kind& kind) {
  return kind.kind == "HorizontalPodAutoscaler" && kind.group == autoscaling_group;
}

}  // namespace

const Kind& storage_kind(const Kind& kind, const Schema& schema) {
  const Kind* stored = nullptr;
  if (is_event(kind)) stored = schema.find("", "v1", "Event");
  if (is_autoscaler(kind)) stored = schema.find(autoscaling_group, "v2", kind.kind);
  return stored != nullptr ? *stored : kind;
}

void convert(json::Value& object, const Kind& source, const Kind& target) {
  if (source.api_version == target.api_version || !object.is_object()) return;
  if (is_event(source) && is_event(target)) {
    convert_event(object.get_object(), target.group.empty());
  } else if (is_autoscaler(source) && is_autoscaler(target)) {
    target.version == "v1" ? autoscaler_to_v1(object) : autoscaler_to_v2(object);
  } else {
    return;
  }
  object.get_object()["apiVersion"] = target.api_version;
}

}  // namespace koi::api
