#include <algorithm>
#include <array>
#include <charconv>

#include "api/selectors.h"
#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

void check_template(FieldErrors& errors, const json::Value& object, json::Path spec,
                    const std::string& path) {
  const json::Value* found = json::find(object, spec);
  if (found == nullptr) return;
  check_labels(errors, at(path, "metadata.labels"),
               json::object_at(*found, {"metadata", "labels"}));
  static const json::Value empty{json::Object()};
  const json::Value* pod_spec = json::find(*found, {"spec"});
  check_pod_spec(errors, pod_spec != nullptr ? *pod_spec : empty, at(path, "spec"));
}

// A selector that is there, is sound, and matches the pods that the template makes.
void check_selector(FieldErrors& errors, const json::Value& object, std::string_view controller) {
  const json::Value* selector = json::find(object, {"spec", "selector"});
  if (selector == nullptr || selector->is_null()) {
    errors.push_back(required("spec.selector"));
    return;
  }
  const auto parsed = LabelSelector::from_object(selector);
  if (!parsed) {
    errors.push_back(invalid("spec.selector", *selector, "invalid label selector"));
    return;
  }
  if (parsed->is_everything()) {
    errors.push_back(invalid("spec.selector", *selector,
                             "empty selector is invalid for " + std::string(controller)));
    return;
  }
  const json::Object& labels = json::object_at(object, {"spec", "template", "metadata", "labels"});
  if (!parsed->matches(labels)) {
    errors.push_back(invalid("spec.template.metadata.labels", json::Value(labels),
                             "`selector` does not match template `labels`"));
  }
}

void check_always_restarts(FieldErrors& errors, const json::Value& object,
                           std::string_view controller) {
  const std::string policy(json::string_at(object, {"spec", "template", "spec", "restartPolicy"}));
  if (!policy.empty() && policy != "Always") {
    errors.push_back(
        not_supported("spec.template.spec.restartPolicy", json::Value(policy), {"Always"}));
  }
  if (json::find(object, {"spec", "template", "spec", "activeDeadlineSeconds"}) != nullptr) {
    errors.push_back(
        forbidden("spec.template.spec.activeDeadlineSeconds",
                  "activeDeadlineSeconds in " + std::string(controller) + " is not Supported"));
  }
}

void check_selector_kept(FieldErrors& errors, const ValidationRequest& request) {
  if (request.before == nullptr) return;
  check_immutable(errors, "spec.selector", json::find(*request.object, {"spec", "selector"}),
                  json::find(*request.before, {"spec", "selector"}));
}

// A count or a share: 3 or "25%". The number, or -1 where it is neither.
std::int64_t count_or_percent(const json::Value* value) {
  if (value == nullptr) return -1;
  if (!value->is_string()) return json::int_at(*value, {}, -1);
  const std::string_view text = json::string_at(*value, {});
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_percent =
      error == std::errc() && std::string_view(end, text.data() + text.size()) == "%";
  return is_percent ? number : -1;
}

void check_surge(FieldErrors& errors, const json::Value* value, const std::string& path) {
  if (value == nullptr) return;
  const auto number = count_or_percent(value);
  if (value->is_string() && number < 0) {
    errors.push_back(invalid(path, *value,
                             "a valid percent string must be a numeric string followed by an "
                             "ending '%' (e.g. '1%',  or '93%', regex used for validation is "
                             "'[0-9]+%')"));
  } else if (number < 0) {
    errors.push_back(invalid(path, *value, "must be greater than or equal to 0"));
  } else if (value->is_string() && number > 100) {
    errors.push_back(invalid(path, *value, "must not be greater than 100%"));
  }
}

void check_rolling_update(FieldErrors& errors, const json::Value& object) {
  const std::string_view type = json::string_at(object, {"spec", "strategy", "type"});
  const json::Value* rolling = json::find(object, {"spec", "strategy", "rollingUpdate"});
  const std::string path = "spec.strategy.rollingUpdate";
  if (type == "Recreate" && rolling != nullptr) {
    errors.push_back(forbidden(path, "may not be specified when strategy `type` is 'Recreate'"));
  }
  if (type != "RollingUpdate" || rolling == nullptr) return;
  const json::Value* surge = json::find(*rolling, {"maxSurge"});
  const json::Value* unavailable = json::find(*rolling, {"maxUnavailable"});
  check_surge(errors, surge, at(path, "maxSurge"));
  check_surge(errors, unavailable, at(path, "maxUnavailable"));
  if (surge != nullptr && unavailable != nullptr && count_or_percent(surge) == 0 &&
      count_or_percent(unavailable) == 0) {
    errors.push_back(
        invalid(at(path, "maxUnavailable"), *unavailable, "may not be 0 when `maxSurge` is 0"));
  }
}

void check_deployment(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  const json::Value& spec =
      json::find(object, {"spec"}) != nullptr ? *json::find(object, {"spec"}) : object;
  for (const std::string_view member :
       {"replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"}) {
    check_not_negative(errors, spec, "spec", member);
  }
  check_selector(errors, object, "deployment");
  check_template(errors, object, {"spec", "template"}, "spec.template");
  check_always_restarts(errors, object, "Deployment");
  check_rolling_update(errors, object);
  const auto deadline = json::int_at(spec, {"progressDeadlineSeconds"});
  if (deadline && *deadline >= 0 && *deadline <= json::int_at(spec, {"minReadySeconds"}, 0)) {
    errors.push_back(
        invalid("spec.progressDeadlineSeconds", *deadline, "must be greater than minReadySeconds"));
  }
  check_selector_kept(errors, request);
}

void check_replica_set(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  if (const json::Value* spec = json::find(object, {"spec"})) {
    check_not_negative(errors, *spec, "spec", "replicas");
    check_not_negative(errors, *spec, "spec", "minReadySeconds");
  }
  check_selector(errors, object, "deployment");
  check_template(errors, object, {"spec", "template"}, "spec.template");
  check_always_restarts(errors, object, "ReplicaSet");
  check_selector_kept(errors, request);
}

void check_daemon_set(FieldErrors& errors, const ValidationRequest& request) {
  check_selector(errors, *request.object, "daemonset");
  check_template(errors, *request.object, {"spec", "template"}, "spec.template");
  check_always_restarts(errors, *request.object, "DaemonSet");
  check_selector_kept(errors, request);
}

void check_stateful_set(FieldErrors& errors, const ValidationRequest& request) {
  static constexpr std::array<std::string_view, 7> mutable_members = {
      "replicas",
      "ordinals",
      "template",
      "updateStrategy",
      "revisionHistoryLimit",
      "minReadySeconds",
      "persistentVolumeClaimRetentionPolicy"};
  const json::Value& object = *request.object;
  if (const json::Value* spec = json::find(object, {"spec"})) {
    check_not_negative(errors, *spec, "spec", "replicas");
    check_not_negative(errors, *spec, "spec", "minReadySeconds");
  }
  check_selector(errors, object, "statefulset");
  check_template(errors, object, {"spec", "template"}, "spec.template");
  check_always_restarts(errors, object, "StatefulSet");
  if (request.before == nullptr) return;
  json::Value now = json::object_at(object, {"spec"});
  json::Value before = json::object_at(*request.before, {"spec"});
  for (const std::string_view member : mutable_members) {
    json::erase(now, {member});
    json::erase(before, {member});
  }
  if (now != before) {
    errors.push_back(forbidden(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
        "'minReadySeconds' are forbidden"));
  }
}

void check_replication_controller(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  if (const json::Value* spec = json::find(object, {"spec"})) {
    check_not_negative(errors, *spec, "spec", "replicas");
  }
  const json::Object& selector = json::object_at(object, {"spec", "selector"});
  if (selector.empty()) {
    errors.push_back(required("spec.selector"));
  } else if (!LabelSelector::from_map(selector).matches(
                 json::object_at(object, {"spec", "template", "metadata", "labels"}))) {
    errors.push_back(
        invalid("spec.template.metadata.labels",
                json::Value(json::object_at(object, {"spec", "template", "metadata", "labels"})),
                "`selector` does not match template `labels`"));
  }
  check_template(errors, object, {"spec", "template"}, "spec.template");
  check_always_restarts(errors, object, "ReplicationController");
}

void check_job_policy(FieldErrors& errors, const json::Value& job_spec, const std::string& path) {
  const std::string policy(json::string_at(job_spec, {"template", "spec", "restartPolicy"}));
  const std::string field = at(path, "template.spec.restartPolicy");
  if (policy.empty() || policy == "Always") {
    errors.push_back(required(field, "valid values: \"OnFailure\", \"Never\""));
  }
  for (const std::string_view member : {"parallelism", "completions", "activeDeadlineSeconds",
                                        "backoffLimit", "ttlSecondsAfterFinished"}) {
    check_not_negative(errors, job_spec, path, member);
  }
}

void check_job(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  if (const json::Value* spec = json::find(object, {"spec"})) {
    check_job_policy(errors, *spec, "spec");
  }
  check_template(errors, object, {"spec", "template"}, "spec.template");
  if (request.before == nullptr) return;
  check_selector_kept(errors, request);
  check_immutable(errors, "spec.template", json::find(object, {"spec", "template"}),
                  json::find(*request.before, {"spec", "template"}));
  check_immutable(errors, "spec.completionMode", json::find(object, {"spec", "completionMode"}),
                  json::find(*request.before, {"spec", "completionMode"}));
}

void check_cron_job(FieldErrors& errors, const ValidationRequest& request) {
  static constexpr std::size_t name_bytes_max = 52;
  const json::Value& object = *request.object;
  const std::string_view name = json::string_at(object, {"metadata", "name"});
  if (name.size() > name_bytes_max) {
    // The controller appends eleven characters to the names of its jobs.
    errors.push_back(invalid("metadata.name", json::Value(std::string(name)),
                             "must be no more than 52 characters"));
  }
  const std::string schedule(json::string_at(object, {"spec", "schedule"}));
  if (schedule.empty()) {
    errors.push_back(required("spec.schedule"));
  } else if (!schedule.starts_with('@')) {
    std::size_t words = 0;
    for (std::size_t i = 0; i < schedule.size(); ++i) {
      const bool starts = schedule[i] != ' ' && (i == 0 || schedule[i - 1] == ' ');
      words += starts ? 1 : 0;
    }
    if (words != 5) {
      errors.push_back(invalid("spec.schedule", json::Value(schedule),
                               "expected exactly 5 fields, found " + std::to_string(words)));
    }
  }
  if (const json::Value* spec = json::find(object, {"spec", "jobTemplate", "spec"})) {
    check_job_policy(errors, *spec, "spec.jobTemplate.spec");
  }
  check_template(errors, object, {"spec", "jobTemplate", "spec", "template"},
                 "spec.jobTemplate.spec.template");
}

void check_pod(FieldErrors& errors, const ValidationRequest& request) {
  static const json::Value empty{json::Object()};
  const json::Value* spec = json::find(*request.object, {"spec"});
  check_pod_spec(errors, spec != nullptr ? *spec : empty, "spec");
  if (request.before != nullptr) check_pod_update(errors, *request.object, *request.before);
}

void check_pod_template(FieldErrors& errors, const ValidationRequest& request) {
  check_template(errors, *request.object, {"template"}, "template");
}

}  // namespace

KindRule workload_rule(const Kind& kind) {
  struct Entry {
    std::string_view group;
    std::string_view kind;
    KindRule rule;
  };
  static constexpr Entry entries[] = {
      {"", "Pod", check_pod},
      {"", "PodTemplate", check_pod_template},
      {"", "ReplicationController", check_replication_controller},
      {"apps", "Deployment", check_deployment},
      {"apps", "ReplicaSet", check_replica_set},
      {"apps", "DaemonSet", check_daemon_set},
      {"apps", "StatefulSet", check_stateful_set},
      {"batch", "Job", check_job},
      {"batch", "CronJob", check_cron_job},
  };
  for (const Entry& entry : entries) {
    if (entry.kind == kind.kind && entry.group == kind.group) return entry.rule;
  }
  return nullptr;
}

}  // namespace koi::api::rules
