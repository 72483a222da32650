#include <algorithm>
#include <array>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

constexpr std::array deployment_columns = {
    name_column,
    Column{"Ready", "Ready pods of those desired."},
    Column{"Up-to-date", "Pods that have the current template.", "integer", "int32"},
    Column{"Available", "Pods that have been ready for long enough.", "integer", "int32"},
    age_column,
    containers_column,
    images_column,
    selector_column,
};

void print_deployment(Row& row) {
  const json::Value& object = row.object();
  row.name();
  row.text(std::to_string(json::int_at(object, {"status", "readyReplicas"}, 0)) + "/" +
           std::to_string(json::int_at(object, {"spec", "replicas"}, 0)));
  row.number_at({"status", "updatedReplicas"});
  row.number_at({"status", "availableReplicas"});
  row.age();
  print_containers(row, {"spec", "template", "spec", "containers"});
  row.text(format_selector(json::find(object, {"spec", "selector"})));
}

constexpr std::array replica_set_columns = {
    name_column,
    Column{"Desired", "Pods that should exist.", "integer", "int32"},
    Column{"Current", "Pods that exist.", "integer", "int32"},
    Column{"Ready", "Pods that are ready.", "integer", "int32"},
    age_column,
    containers_column,
    images_column,
    selector_column,
};

void print_replicas(Row& row) {
  row.name();
  row.number_at({"spec", "replicas"});
  row.number_at({"status", "replicas"});
  row.number_at({"status", "readyReplicas"});
  row.age();
  print_containers(row, {"spec", "template", "spec", "containers"});
}

void print_replica_set(Row& row) {
  print_replicas(row);
  row.text(format_selector(json::find(row.object(), {"spec", "selector"})));
}

void print_replication_controller(Row& row) {
  print_replicas(row);
  row.text(format_labels(json::object_at(row.object(), {"spec", "selector"})));
}

constexpr std::array stateful_set_columns = {
    name_column,   Column{"Ready", "Ready pods of those desired."}, age_column, containers_column,
    images_column,
};

void print_stateful_set(Row& row) {
  const json::Value& object = row.object();
  row.name();
  row.text(std::to_string(json::int_at(object, {"status", "readyReplicas"}, 0)) + "/" +
           std::to_string(json::int_at(object, {"spec", "replicas"}, 0)));
  row.age();
  print_containers(row, {"spec", "template", "spec", "containers"});
}

constexpr std::array daemon_set_columns = {
    name_column,
    Column{"Desired", "Nodes that should run a pod.", "integer", "int32"},
    Column{"Current", "Nodes that run one.", "integer", "int32"},
    Column{"Ready", "Nodes whose pod is ready.", "integer", "int32"},
    Column{"Up-to-date", "Nodes whose pod has the current template.", "integer", "int32"},
    Column{"Available", "Nodes whose pod has been ready for long enough.", "integer", "int32"},
    Column{"Node Selector", "Labels that select the nodes."},
    age_column,
    containers_column,
    images_column,
    selector_column,
};

void print_daemon_set(Row& row) {
  const json::Value& object = row.object();
  row.name();
  row.number_at({"status", "desiredNumberScheduled"});
  row.number_at({"status", "currentNumberScheduled"});
  row.number_at({"status", "numberReady"});
  row.number_at({"status", "updatedNumberScheduled"});
  row.number_at({"status", "numberAvailable"});
  row.text(format_labels(json::object_at(object, {"spec", "template", "spec", "nodeSelector"})));
  row.age();
  print_containers(row, {"spec", "template", "spec", "containers"});
  row.text(format_selector(json::find(object, {"spec", "selector"})));
}

constexpr std::array job_columns = {
    name_column,
    Column{"Status", "What has become of the job."},
    Column{"Completions", "Pods that succeeded of those wanted."},
    Column{"Duration", "Time the job took or has been running."},
    age_column,
    containers_column,
    images_column,
    selector_column,
};

std::string_view job_status(const json::Value& job) {
  if (has_condition(job, "Complete")) return "Complete";
  if (has_condition(job, "Failed")) return "Failed";
  if (json::find(job, {"metadata", "deletionTimestamp"}) != nullptr) return "Terminating";
  for (const std::string_view type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"}) {
    if (has_condition(job, type)) return type;
  }
  return "Running";
}

std::string job_duration(const Row& row) {
  const std::string_view started = json::string_at(row.object(), {"status", "startTime"});
  const auto start = base::parse_time(started);
  if (!start) return "";
  const auto end = base::parse_time(json::string_at(row.object(), {"status", "completionTime"}));
  return end ? human_duration(*end - *start) : row.since(started);
}

void print_job(Row& row) {
  const json::Value& job = row.object();
  const std::string succeeded = std::to_string(json::int_at(job, {"status", "succeeded"}, 0));
  const auto completions = json::int_at(job, {"spec", "completions"});
  const auto parallelism = json::int_at(job, {"spec", "parallelism"}, 0);
  row.name();
  row.text(job_status(job));
  if (completions) {
    row.text(succeeded + "/" + std::to_string(*completions));
  } else if (parallelism > 1) {
    row.text(succeeded + "/1 of " + std::to_string(parallelism));
  } else {
    row.text(succeeded + "/1");
  }
  row.text(job_duration(row));
  row.age();
  print_containers(row, {"spec", "template", "spec", "containers"});
  row.text(format_selector(json::find(job, {"spec", "selector"})));
}

constexpr std::array cron_job_columns = {
    name_column,
    Column{"Schedule", "When jobs start, in cron form."},
    Column{"Timezone", "Where that time is read."},
    Column{"Suspend", "Whether new jobs are held back.", "boolean"},
    Column{"Active", "Jobs that are running.", "integer"},
    Column{"Last Schedule", "Time since a job last started."},
    age_column,
    containers_column,
    images_column,
    selector_column,
};

void print_cron_job(Row& row) {
  const json::Value& object = row.object();
  row.name();
  row.text_at({"spec", "schedule"});
  row.text_at({"spec", "timeZone"}, "<none>");
  const json::Value* suspend = json::find(object, {"spec", "suspend"});
  row.text(suspend == nullptr                           ? "<unset>"
           : json::bool_at(object, {"spec", "suspend"}) ? "True"
                                                        : "False");
  row.number(static_cast<std::int64_t>(json::array_at(object, {"status", "active"}).size()));
  const std::string_view last = json::string_at(object, {"status", "lastScheduleTime"});
  row.text(last.empty() ? "<none>" : row.since(last));
  row.age();
  print_containers(row, {"spec", "jobTemplate", "spec", "template", "spec", "containers"});
  row.text(format_selector(json::find(object, {"spec", "jobTemplate", "spec", "selector"})));
}

constexpr std::array controller_revision_columns = {
    name_column,
    Column{"Controller", "The object whose history this is."},
    Column{"Revision", "The number of the revision.", "integer", "int64"},
    age_column,
};

void print_controller_revision(Row& row) {
  std::string controller;
  for (const json::Value& owner : json::array_at(row.object(), {"metadata", "ownerReferences"})) {
    if (!json::bool_at(owner, {"controller"})) continue;
    std::string kind(json::string_at(owner, {"kind"}));
    const std::string_view api_version = json::string_at(owner, {"apiVersion"});
    const auto slash = api_version.find('/');
    if (slash != std::string_view::npos) kind.append(".").append(api_version.substr(0, slash));
    std::ranges::transform(kind, kind.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    controller = kind + "/" + std::string(json::string_at(owner, {"name"}));
  }
  row.name();
  row.text(controller.empty() ? "<none>" : controller);
  row.number_at({"revision"});
  row.age();
}

constexpr std::array autoscaler_columns = {
    name_column,
    Column{"Reference", "What is scaled."},
    Column{"Targets", "Each metric, as it is and as it should be."},
    Column{"MinPods", "The fewest pods."},
    Column{"MaxPods", "The most pods."},
    Column{"Replicas", "Pods that exist.", "integer", "int32"},
    age_column,
};

constexpr std::array disruption_budget_columns = {
    name_column,
    Column{"Min Available", "Pods that must stay available."},
    Column{"Max Unavailable", "Pods that may be unavailable."},
    Column{"Allowed Disruptions", "Pods that may be evicted now.", "integer"},
    age_column,
};

void print_disruption_budget(Row& row) {
  row.name();
  for (const std::string_view bound : {"minAvailable", "maxUnavailable"}) {
    const std::string text = scalar_text(json::find(row.object(), {"spec", bound}));
    row.text(text.empty() ? "N/A" : text);
  }
  row.number_at({"status", "disruptionsAllowed"});
  row.age();
}

constexpr std::array kind_tables = {
    KindTable{"apps", "Deployment", deployment_columns, print_deployment},
    KindTable{"apps", "ReplicaSet", replica_set_columns, print_replica_set},
    KindTable{"apps", "StatefulSet", stateful_set_columns, print_stateful_set},
    KindTable{"apps", "DaemonSet", daemon_set_columns, print_daemon_set},
    KindTable{"apps", "ControllerRevision", controller_revision_columns, print_controller_revision},
    KindTable{"", "ReplicationController", replica_set_columns, print_replication_controller},
    KindTable{"batch", "Job", job_columns, print_job},
    KindTable{"batch", "CronJob", cron_job_columns, print_cron_job},
    KindTable{"autoscaling", "HorizontalPodAutoscaler", autoscaler_columns, print_autoscaler},
    KindTable{"policy", "PodDisruptionBudget", disruption_budget_columns, print_disruption_budget},
};

}  // namespace

std::span<const KindTable> workload_tables() { return kind_tables; }

}  // namespace koi::api::tables
