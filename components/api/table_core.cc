#include <algorithm>
#include <array>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

constexpr std::array pod_columns = {
    name_column,
    Column{"Ready", "Ready containers of all."},
    Column{"Status", "What the pod is doing, or why it is not."},
    Column{"Restarts", "How often its containers were restarted, and when last."},
    age_column,
    Column{"IP", "The address of the pod.", "string", "", 1},
    Column{"Node", "The node it runs on.", "string", "", 1},
    Column{"Nominated Node", "The node that room is being made on.", "string", "", 1},
    Column{"Readiness Gates", "Extra conditions that hold, of all.", "string", "", 1},
};

constexpr std::array pod_template_columns = {
    name_column, Column{"Containers", "Names of the containers."},
    Column{"Images", "Images of the containers."}, Column{"Pod Labels", "Labels of its pods."}};

void print_pod_template(Row& row) {
  row.name();
  print_containers(row, {"template", "spec", "containers"});
  row.text(format_labels(json::object_at(row.object(), {"template", "metadata", "labels"})));
}

constexpr std::array node_columns = {
    name_column,
    Column{"Status", "Whether the node takes pods."},
    Column{"Roles", "The roles its labels give it."},
    age_column,
    Column{"Version", "The version of its agent."},
    Column{"Internal-IP", "Its address inside the cluster.", "string", "", 1},
    Column{"External-IP", "Its address outside.", "string", "", 1},
    Column{"OS-Image", "Its operating system.", "string", "", 1},
    Column{"Kernel-Version", "Its kernel.", "string", "", 1},
    Column{"Container-Runtime", "What runs its containers.", "string", "", 1},
};

std::string node_status(const json::Value& node) {
  std::string status = "Unknown";
  for (const json::Value& condition : json::array_at(node, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) != "Ready") continue;
    status = json::string_at(condition, {"status"}) == "True" ? "Ready" : "NotReady";
  }
  if (json::bool_at(node, {"spec", "unschedulable"})) status += ",SchedulingDisabled";
  return status;
}

std::string node_roles(const json::Value& node) {
  static constexpr std::string_view prefix = "node-role.kubernetes.io/";
  std::vector<std::string> roles;
  for (const auto& label : json::object_at(node, {"metadata", "labels"})) {
    const std::string_view key = label.key();
    if (key.starts_with(prefix) && key.size() > prefix.size()) {
      roles.emplace_back(key.substr(prefix.size()));
    } else if (key == "kubernetes.io/role" && !json::string_at(label.value(), {}).empty()) {
      roles.emplace_back(json::string_at(label.value(), {}));
    }
  }
  std::ranges::sort(roles);
  const auto repeated = std::ranges::unique(roles);
  roles.erase(repeated.begin(), repeated.end());
  return roles.empty() ? "<none>" : join(roles, ",");
}

std::string_view node_address(const json::Value& node, std::string_view type) {
  for (const json::Value& address : json::array_at(node, {"status", "addresses"})) {
    if (json::string_at(address, {"type"}) == type) return json::string_at(address, {"address"});
  }
  return "<none>";
}

void print_node(Row& row) {
  const json::Value& node = row.object();
  row.name();
  row.text(node_status(node));
  row.text(node_roles(node));
  row.age();
  row.text_at({"status", "nodeInfo", "kubeletVersion"});
  row.text(node_address(node, "InternalIP"));
  row.text(node_address(node, "ExternalIP"));
  for (const std::string_view member : {"osImage", "kernelVersion", "containerRuntimeVersion"}) {
    row.text_at({"status", "nodeInfo", member}, "<unknown>");
  }
}

constexpr std::array namespace_columns = {
    name_column, Column{"Status", "Whether it takes objects or is going away."}, age_column};

void print_namespace(Row& row) {
  row.name();
  row.text_at({"status", "phase"});
  row.age();
}

constexpr std::array config_map_columns = {name_column, Column{"Data", "How many values it holds."},
                                           age_column};

void print_config_map(Row& row) {
  row.name();
  row.number(static_cast<std::int64_t>(json::object_at(row.object(), {"data"}).size() +
                                       json::object_at(row.object(), {"binaryData"}).size()));
  row.age();
}

constexpr std::array secret_columns = {name_column, Column{"Type", "What kind of secret it is."},
                                       Column{"Data", "How many values it holds."}, age_column};

void print_secret(Row& row) {
  row.name();
  row.text_at({"type"});
  row.number(static_cast<std::int64_t>(json::object_at(row.object(), {"data"}).size()));
  row.age();
}

constexpr std::array service_account_columns = {
    name_column, Column{"Secrets", "How many secrets its pods may use."}, age_column};

void print_service_account(Row& row) {
  row.name();
  row.number(static_cast<std::int64_t>(json::array_at(row.object(), {"secrets"}).size()));
  row.age();
}

constexpr std::array component_status_columns = {
    name_column, Column{"Status", "Whether it is healthy."}, Column{"Message", "What it says."},
    Column{"Error", "What is wrong with it."}};

void print_component_status(Row& row) {
  std::string_view status = "Unknown";
  std::string_view message;
  std::string_view error;
  for (const json::Value& condition : json::array_at(row.object(), {"conditions"})) {
    if (json::string_at(condition, {"type"}) != "Healthy") continue;
    const std::string_view value = json::string_at(condition, {"status"});
    status = value == "True" ? "Healthy" : value == "False" ? "Unhealthy" : "Unknown";
    message = json::string_at(condition, {"message"});
    error = json::string_at(condition, {"error"});
  }
  row.name();
  row.text(status);
  row.text(message);
  row.text(error);
}

constexpr std::array event_columns = {
    Column{"Last Seen", "Time since it last happened."},
    Column{"Type", "Normal or Warning."},
    Column{"Reason", "The short word for what happened."},
    Column{"Object", "What it happened to."},
    Column{"Subobject", "The part it happened to.", "string", "", 1},
    Column{"Source", "Who tells.", "string", "", 1},
    Column{"Message", "What happened."},
    Column{"First Seen", "Time since it first happened.", "string", "", 1},
    Column{"Count", "How often it happened.", "string", "", 1},
    Column{"Name", "Name of the object, unique among its kind.", "string", "name", 1},
};

// The first of the paths at which an event of either group's form has a string.
std::string_view either(const json::Value& event, json::Path old_form, json::Path new_form) {
  const std::string_view found = json::string_at(event, old_form);
  return found.empty() ? json::string_at(event, new_form) : found;
}

std::string event_source(const json::Value& event) {
  std::string_view component =
      either(event, {"source", "component"}, {"deprecatedSource", "component"});
  std::string_view host = either(event, {"source", "host"}, {"deprecatedSource", "host"});
  if (component.empty()) {
    component = either(event, {"reportingComponent"}, {"reportingController"});
    host = json::string_at(event, {"reportingInstance"});
  }
  std::string text(component);
  if (!host.empty()) text.append(", ").append(host);
  return text;
}

std::string event_object(const json::Value& event) {
  std::string text(either(event, {"involvedObject", "kind"}, {"regarding", "kind"}));
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::string_view name = either(event, {"involvedObject", "name"}, {"regarding", "name"});
  if (!name.empty()) text.append("/").append(name);
  return text;
}

std::string_view trimmed(std::string_view text) {
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r\n") - start + 1);
}

void print_event(Row& row) {
  const json::Value& event = row.object();
  std::string_view first = either(event, {"firstTimestamp"}, {"deprecatedFirstTimestamp"});
  if (first.empty()) first = json::string_at(event, {"eventTime"});
  std::string_view last = either(event, {"lastTimestamp"}, {"deprecatedLastTimestamp"});
  if (last.empty()) last = first;
  auto count = json::int_at(event, {"count"}, json::int_at(event, {"deprecatedCount"}, 0));
  if (json::find(event, {"series"}) != nullptr) {
    last = json::string_at(event, {"series", "lastObservedTime"});
    count = json::int_at(event, {"series", "count"}, 0);
  } else if (count == 0) {
    count = 1;
  }
  row.text(row.since(last));
  row.text_at({"type"});
  row.text_at({"reason"});
  row.text(event_object(event));
  row.text(either(event, {"involvedObject", "fieldPath"}, {"regarding", "fieldPath"}));
  row.text(event_source(event));
  row.text(trimmed(either(event, {"message"}, {"note"})));
  row.text(row.since(first));
  row.number(count);
  row.name();
}

constexpr std::array quota_columns = {name_column, Column{"Request", "Used and allowed requests."},
                                      Column{"Limit", "Used and allowed limits."}, age_column};

void print_quota(Row& row) {
  const json::Value& quota = row.object();
  std::vector<std::string> names;
  for (const auto& hard : json::object_at(quota, {"status", "hard"}))
    names.emplace_back(hard.key());
  std::ranges::sort(names);
  std::vector<std::string> requests;
  std::vector<std::string> limits;
  for (const std::string& name : names) {
    const std::string used = scalar_text(json::find(quota, {"status", "used", name}));
    const std::string hard = scalar_text(json::find(quota, {"status", "hard", name}));
    std::string text = name;
    text.append(": ").append(used.empty() ? "0" : used).append("/").append(hard);
    (name.starts_with("limits.") ? limits : requests).push_back(std::move(text));
  }
  row.name();
  row.text(join(requests, ", "));
  row.text(join(limits, ", "));
  row.age();
}

constexpr std::array lease_columns = {name_column, Column{"Holder", "Who holds the lease."},
                                      age_column};

void print_lease(Row& row) {
  row.name();
  row.text_at({"spec", "holderIdentity"});
  row.age();
}

constexpr std::array runtime_class_columns = {
    name_column, Column{"Handler", "The runtime behind it."}, age_column};

void print_runtime_class(Row& row) {
  row.name();
  row.text_at({"handler"});
  row.age();
}

constexpr std::array priority_class_columns = {
    name_column,
    Column{"Value", "The priority of its pods.", "integer", "int32"},
    Column{"Global-Default", "Whether pods without a class get it.", "boolean"},
    age_column,
    Column{"PreemptionPolicy", "Whether its pods displace others.", "string", "", 1},
};

void print_priority_class(Row& row) {
  row.name();
  row.number_at({"value"});
  row.boolean(json::bool_at(row.object(), {"globalDefault"}));
  row.age();
  row.text_at({"preemptionPolicy"}, "PreemptLowerPriority");
}

constexpr std::array kind_tables = {
    KindTable{"", "Pod", pod_columns, print_pod},
    KindTable{"", "PodTemplate", pod_template_columns, print_pod_template},
    KindTable{"", "Node", node_columns, print_node},
    KindTable{"", "Namespace", namespace_columns, print_namespace},
    KindTable{"", "ConfigMap", config_map_columns, print_config_map},
    KindTable{"", "Secret", secret_columns, print_secret},
    KindTable{"", "ServiceAccount", service_account_columns, print_service_account},
    KindTable{"", "ComponentStatus", component_status_columns, print_component_status},
    KindTable{"", "Event", event_columns, print_event},
    KindTable{"events.k8s.io", "Event", event_columns, print_event},
    KindTable{"", "ResourceQuota", quota_columns, print_quota},
    KindTable{"coordination.k8s.io", "Lease", lease_columns, print_lease},
    KindTable{"node.k8s.io", "RuntimeClass", runtime_class_columns, print_runtime_class},
    KindTable{"scheduling.k8s.io", "PriorityClass", priority_class_columns, print_priority_class},
};

}  // namespace

std::span<const KindTable> core_tables() { return kind_tables; }

}  // namespace koi::api::tables
