#include <limits>
#include <string>

#include "api/default_hooks.h"

namespace koi::api {

namespace {

using json::Object;
using json::Value;

Object& ensure_member(Object& object, std::string_view name) {
  auto& member = object[name];
  return member.is_object() ? member.get_object() : member.emplace_object();
}

void deployment_strategy(Object& object) {
  if (text_member(object, "type") != "RollingUpdate") return;
  Object& rolling = ensure_member(object, "rollingUpdate");
  set_missing(rolling, "maxUnavailable", "25%");
  set_missing(rolling, "maxSurge", "25%");
}

void daemon_set_strategy(Object& object) {
  if (text_member(object, "type") != "RollingUpdate") return;
  Object& rolling = ensure_member(object, "rollingUpdate");
  set_missing(rolling, "maxUnavailable", std::int64_t{1});
  set_missing(rolling, "maxSurge", std::int64_t{0});
}

// Only a strategy that was left out altogether gets a rollingUpdate.
void stateful_set_strategy(Object& object) {
  if (text_member(object, "type").empty()) {
    object["type"] = "RollingUpdate";
    ensure_member(object, "rollingUpdate");
  }
  if (text_member(object, "type") != "RollingUpdate") return;
  if (auto* rolling = object_member(object, "rollingUpdate")) {
    set_missing(*rolling, "partition", std::int64_t{0});
  }
}

void stateful_set_spec(Object& object) {
  ensure_member(object, "persistentVolumeClaimRetentionPolicy");
}

// Not for the JobSpec in a CronJob: that gets its defaults when it becomes a Job.
void job_spec(Object& object) {
  if (!has(object, "completions") && !has(object, "parallelism")) {
    object["completions"] = std::int64_t{1};
  }
  set_missing(object, "parallelism", std::int64_t{1});
  const std::int64_t unlimited = std::numeric_limits<std::int32_t>::max();
  set_missing(object, "backoffLimit",
              has(object, "backoffLimitPerIndex") ? unlimited : std::int64_t{6});
  set_missing(object, "podReplacementPolicy",
              has(object, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
  set_missing(object, "completionMode", "NonIndexed");
  set_missing(object, "suspend", false);
  set_missing(object, "manualSelector", false);
}

void job(Object& object) {
  auto* spec = object_member(object, "spec");
  if (spec == nullptr) return;
  job_spec(*spec);
  auto* pod_template = object_member(*spec, "template");
  auto* meta = pod_template != nullptr ? object_member(*pod_template, "metadata") : nullptr;
  auto* labels = meta != nullptr ? object_member(*meta, "labels") : nullptr;
  auto* own = object_member(object, "metadata");
  if (labels == nullptr || own == nullptr) return;
  const Object copy = *labels;
  set_missing(*own, "labels", copy);
}

// The default metric and behaviour of an autoscaler.
void autoscaler_spec(Object& object) {
  if (has(object, "metrics")) return;
  object["metrics"] = json::Array{
      {{"type", "Resource"},
       {"resource",
        {{"name", "cpu"},
         {"target", {{"type", "Utilization"}, {"averageUtilization", std::int64_t{80}}}}}}}};
}

void scaling_rules(Object& rules, const json::Array& policies) {
  set_missing(rules, "selectPolicy", "Max");
  set_missing(rules, "policies", policies);
}

void autoscaler_behavior(Object& object) {
  const Object percent = {
      {"type", "Percent"}, {"value", std::int64_t{100}}, {"periodSeconds", std::int64_t{15}}};
  const Object pods = {
      {"type", "Pods"}, {"value", std::int64_t{4}}, {"periodSeconds", std::int64_t{15}}};
  Object& up = ensure_member(object, "scaleUp");
  set_missing(up, "stabilizationWindowSeconds", std::int64_t{0});
  scaling_rules(up, json::Array{pods, percent});
  scaling_rules(ensure_member(object, "scaleDown"), json::Array{percent});
}

constexpr DefaultHook hooks[] = {
    {"apps.v1.DeploymentStrategy", deployment_strategy},
    {"apps.v1.DaemonSetUpdateStrategy", daemon_set_strategy},
    {"apps.v1.StatefulSetUpdateStrategy", stateful_set_strategy},
    {"apps.v1.StatefulSetSpec", stateful_set_spec},
    {"batch.v1.Job", job},
    {"autoscaling.v2.HorizontalPodAutoscalerSpec", autoscaler_spec},
    {"autoscaling.v2.HorizontalPodAutoscalerBehavior", autoscaler_behavior},
};

}  // namespace

std::span<const DefaultHook> workload_default_hooks() { return hooks; }

}  // namespace koi::api
