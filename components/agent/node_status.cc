#include "agent/node_status.h"

#include <algorithm>

#include "agent/pod_conditions.h"
#include "agent/quantity.h"

namespace koi::agent {

namespace {

constexpr std::int64_t memory_available_bytes_min = 100 * 1024 * 1024;
constexpr std::int64_t storage_available_percent_min = 10;
constexpr std::int64_t pids_available_percent_min = 10;
constexpr std::size_t images_shown_max = 50;
constexpr std::size_t image_names_shown_max = 5;

struct NodeCondition {
  const char* type;
  bool holds = false;
  const char* reason;
  std::string message;
};

std::vector<NodeCondition> conditions_of(const NodeFacts& facts) {
  const auto& left = facts.pressure;
  const bool memory = left.memory_available_bytes < memory_available_bytes_min;
  const bool disk = left.storage_available_bytes <
                    facts.capacity.storage_bytes / 100 * storage_available_percent_min;
  const bool pids =
      left.pids_max - left.pids_used < left.pids_max / 100 * pids_available_percent_min;
  const bool ready = facts.network_problem.empty();
  return {
      {"MemoryPressure", memory,
       memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
       memory ? "kubelet has insufficient memory available"
              : "kubelet has sufficient memory available"},
      {"DiskPressure", disk, disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
       disk ? "kubelet has disk pressure" : "kubelet has no disk pressure"},
      {"PIDPressure", pids, pids ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
       pids ? "kubelet has insufficient PID available" : "kubelet has sufficient PID available"},
      {"Ready", ready, ready ? "KubeletReady" : "KubeletNotReady",
       ready ? "kubelet is posting ready status"
             : "container runtime network not ready: NetworkReady=false "
               "reason:NetworkPluginNotReady message:" +
                   facts.network_problem}};
}

json::Array condition_list(const NodeFacts& facts, const json::Value& before) {
  json::Array list;
  const auto now = base::format_time(facts.now);
  for (const auto& condition : conditions_of(facts)) {
    json::Object shown{{"type", condition.type}, {"status", condition.holds ? "True" : "False"}};
    const auto* old = find_condition(before, condition.type);
    const bool same =
        old && json::string_at(*old, {"status"}) == (condition.holds ? "True" : "False");
    const auto since = same ? json::string_at(*old, {"lastTransitionTime"}) : std::string_view();
    shown["lastHeartbeatTime"] = now;
    shown["lastTransitionTime"] = since.empty() ? now : std::string(since);
    shown["reason"] = condition.reason;
    shown["message"] = condition.message;
    list.push_back(std::move(shown));
  }
  for (const auto& condition : json::array_at(before, {"conditions"})) {
    const auto type = json::string_at(condition, {"type"});
    const auto own = [&](const json::Value& entry) {
      return json::string_at(entry, {"type"}) == type;
    };
    if (std::ranges::none_of(list, own)) list.push_back(condition);
  }
  return list;
}

json::Object resource_list(const AgentOptions& options, const MachineCapacity& capacity) {
  json::Object list;
  const bool whole = capacity.cpu_milli % 1000 == 0;
  list["cpu"] =
      whole ? std::to_string(capacity.cpu_milli / 1000) : std::to_string(capacity.cpu_milli) + "m";
  list["ephemeral-storage"] = format_kibibytes(static_cast<std::uint64_t>(capacity.storage_bytes));
  for (const auto& [size, bytes] : capacity.huge_pages_bytes) {
    const auto amount =
        bytes == 0 ? std::string("0") : format_kibibytes(static_cast<std::uint64_t>(bytes));
    list["hugepages-" + size] = amount;
  }
  list["memory"] = format_kibibytes(static_cast<std::uint64_t>(capacity.memory_bytes));
  list["pods"] = std::to_string(options.pods_max);
  return list;
}

// What pods may use: huge pages are not free for anything else.
json::Object allocatable_list(const AgentOptions& options, MachineCapacity capacity) {
  for (const auto& [size, bytes] : capacity.huge_pages_bytes) capacity.memory_bytes -= bytes;
  return resource_list(options, capacity);
}

json::Array image_list(std::vector<images::Image> images) {
  std::ranges::sort(images, [](const auto& a, const auto& b) {
    return a.size_bytes != b.size_bytes ? a.size_bytes > b.size_bytes : a.id < b.id;
  });
  json::Array list;
  for (const auto& image : images) {
    if (list.size() == images_shown_max) break;
    json::Array names;
    for (const auto& name : image.names) {
      if (names.size() < image_names_shown_max) names.emplace_back(name);
    }
    if (names.empty()) names.emplace_back(image.id);
    list.push_back(json::Object{{"names", std::move(names)},
                                {"sizeBytes", static_cast<std::int64_t>(image.size_bytes)}});
  }
  return list;
}

// "v1.36.0+koi.0.1.0" is Kubernetes 1.36.0 by koi 0.1.0.
std::string own_version(const std::string& version) {
  constexpr std::string_view mark = "+koi.";
  const auto at = version.find(mark);
  return at == std::string::npos ? version : version.substr(at + mark.size());
}

json::Object node_info(const AgentOptions& options, const SystemInfo& system) {
  json::Object info;
  info["machineID"] = system.machine_id;
  info["systemUUID"] = system.system_uuid;
  info["bootID"] = system.boot_id;
  info["kernelVersion"] = system.kernel_version;
  info["osImage"] = system.os_image;
  info["containerRuntimeVersion"] = "koi://" + own_version(options.version);
  info["kubeletVersion"] = options.version;
  info["kubeProxyVersion"] = "";
  info["operatingSystem"] = system.operating_system;
  info["architecture"] = system.architecture;
  return info;
}

// The status without what changes at every heartbeat.
json::Value without_times(json::Value status) {
  auto* conditions = json::find(status, {"conditions"});
  if (conditions && conditions->is_array()) {
    for (auto& condition : conditions->get_array()) json::erase(condition, {"lastHeartbeatTime"});
  }
  return status;
}

}  // namespace

json::Object node_labels(const AgentOptions& options, const SystemInfo& system) {
  json::Object labels;
  labels["beta.kubernetes.io/arch"] = system.architecture;
  labels["beta.kubernetes.io/os"] = system.operating_system;
  labels["kubernetes.io/arch"] = system.architecture;
  labels["kubernetes.io/hostname"] = options.node_name;
  labels["kubernetes.io/os"] = system.operating_system;
  if (options.control_plane) labels["node-role.kubernetes.io/control-plane"] = "true";
  for (const auto& [name, value] : options.labels) labels[name] = value;
  return labels;
}

json::Value new_node(const AgentOptions& options, const SystemInfo& system) {
  json::Value node = json::Object{{"apiVersion", "v1"}, {"kind", "Node"}};
  json::set(node, {"metadata", "name"}, json::Value(options.node_name));
  json::set(node, {"metadata", "labels"}, node_labels(options, system));
  json::set(node, {"spec"}, json::Object{});
  return node;
}

json::Value node_status(const AgentOptions& options, const NodeFacts& facts,
                        const json::Value& before) {
  json::Object status;
  status["capacity"] = resource_list(options, facts.capacity);
  status["allocatable"] = allocatable_list(options, facts.capacity);
  status["conditions"] = condition_list(facts, before);
  json::Array addresses;
  if (!options.node_ip.empty()) {
    addresses.push_back(json::Object{{"type", "InternalIP"}, {"address", options.node_ip}});
  }
  addresses.push_back(json::Object{{"type", "Hostname"}, {"address", options.node_name}});
  status["addresses"] = std::move(addresses);
  status["daemonEndpoints"] =
      json::Object{{"kubeletEndpoint", json::Object{{"Port", options.api_port}}}};
  status["nodeInfo"] = node_info(options, facts.system);
  auto images = image_list(facts.images);
  if (!images.empty()) status["images"] = std::move(images);
  json::Value result = std::move(status);
  // What others keep in the node's status stays.
  for (const auto* field : {"volumesAttached", "volumesInUse", "declaredFeatures"}) {
    if (const auto* value = json::find(before, {field})) result.as_object()[field] = *value;
  }
  return result;
}

bool node_status_differs(const json::Value& before, const json::Value& after) {
  return without_times(before) != without_times(after);
}

}  // namespace koi::agent
