#include "agent/downward.h"

#include <map>

#include "agent/quantity.h"

namespace koi::agent {

namespace {

// Quotes as Go does for printable text.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') result += '\\';
    if (letter == '\n') {
      result += "\\n";
    } else if (letter == '\t') {
      result += "\\t";
    } else {
      result += letter;
    }
  }
  return result + "\"";
}

// One key="value" per line, in the order of the keys.
std::string map_text(const json::Object& members) {
  std::map<std::string, std::string> sorted;
  for (const auto& member : members) {
    if (member.value().is_string()) {
      sorted[member.key()] = std::string(std::string_view(member.value().get_string()));
    }
  }
  std::string text;
  for (const auto& [key, value] : sorted) {
    if (!text.empty()) text += '\n';
    text += key + "=" + quoted(value);
  }
  return text;
}

// "metadata.labels['app']" -> "app".
std::optional<std::string> subscript_of(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.size() < 4 || !path.starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return std::string(path.substr(2, path.size() - 4));
}

std::string copy_at(const json::Value& pod, json::Path path) {
  return std::string(json::string_at(pod, path));
}

std::string addresses(const json::Value& pod, std::string_view field, const std::string& first) {
  std::string text = first;
  for (const auto& entry : json::array_at(pod, {"status", field})) {
    const auto ip = json::string_at(entry, {"ip"});
    if (ip == first) continue;
    text += (text.empty() ? "" : ",") + std::string(ip);
  }
  return text;
}

std::int64_t divided(std::int64_t value, std::int64_t divisor) {
  return divisor <= 0 ? value : (value + divisor - 1) / divisor;
}

}  // namespace

base::Result<std::string> pod_field(const json::Value& pod, std::string_view path,
                                    const DownwardFacts& facts) {
  if (const auto key = subscript_of(path, "metadata.labels")) {
    return copy_at(pod, {"metadata", "labels", *key});
  }
  if (const auto key = subscript_of(path, "metadata.annotations")) {
    return copy_at(pod, {"metadata", "annotations", *key});
  }
  if (path == "metadata.labels") return map_text(json::object_at(pod, {"metadata", "labels"}));
  if (path == "metadata.annotations") {
    return map_text(json::object_at(pod, {"metadata", "annotations"}));
  }
  if (path == "metadata.name") return copy_at(pod, {"metadata", "name"});
  if (path == "metadata.namespace") return copy_at(pod, {"metadata", "namespace"});
  if (path == "metadata.uid") return copy_at(pod, {"metadata", "uid"});
  if (path == "spec.nodeName") return facts.node_name;
  if (path == "spec.serviceAccountName") return copy_at(pod, {"spec", "serviceAccountName"});
  if (path == "status.hostIP") return facts.host_ip;
  if (path == "status.hostIPs") return addresses(pod, "hostIPs", facts.host_ip);
  if (path == "status.podIP") return facts.pod_ip;
  if (path == "status.podIPs") return addresses(pod, "podIPs", facts.pod_ip);
  return base::fail(base::Code::invalid, "unsupported fieldPath: " + std::string(path));
}

base::Result<std::string> resource_field(const json::Value& container, const json::Value& selector,
                                         const DownwardFacts& facts) {
  const auto resource = json::string_at(selector, {"resource"});
  const auto dot = resource.find('.');
  const auto group = resource.substr(0, dot);
  const auto name = dot == std::string_view::npos ? "" : resource.substr(dot + 1);
  if ((group != "limits" && group != "requests") || name.empty()) {
    return base::fail(base::Code::invalid,
                      "unsupported container resource : " + std::string(resource));
  }
  const auto divisor_text = json::string_at(selector, {"divisor"});
  const bool cpu = name == "cpu";
  auto divisor = cpu ? parse_milli(divisor_text) : parse_whole(divisor_text);
  if (divisor.value_or(0) <= 0) divisor = cpu ? 1000 : 1;
  const auto text = json::string_at(container, {"resources", group, name});
  auto value = cpu ? parse_milli(text) : parse_whole(text);
  if (!value && group == "limits") {
    if (cpu) value = facts.allocatable_cpu_milli;
    if (name == "memory") value = facts.allocatable_memory_bytes;
    if (name == "ephemeral-storage") value = facts.allocatable_storage_bytes;
  }
  return std::to_string(divided(value.value_or(0), *divisor));
}

}  // namespace koi::agent
