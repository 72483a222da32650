#include "agent/unsupported.h"

#include <algorithm>
#include <array>

namespace koi::agent {

namespace {

using Found = std::optional<std::string>;

std::string refuse(const std::string& field, const std::string& advice) {
  return "koi does not support " + field + " yet: " + advice;
}

std::string indexed(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

Found check_volume(const json::Value& volume, const std::string& at) {
  static constexpr std::array<std::string_view, 6> known = {
      "configMap", "secret", "emptyDir", "hostPath", "downwardAPI", "projected"};
  if (!volume.is_object()) return std::nullopt;
  for (const auto& member : volume.get_object()) {
    const std::string_view kind = member.key();
    if (kind == "name") continue;
    if (std::ranges::find(known, kind) == known.end()) {
      return refuse(at + "." + std::string(kind), "use emptyDir or hostPath");
    }
  }
  const auto& sources = json::array_at(volume, {"projected", "sources"});
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (const auto* kind : {"clusterTrustBundle", "podCertificate"}) {
      if (!json::find(sources[i], {kind})) continue;
      return refuse(indexed(at + ".projected.sources", i) + "." + kind, "remove it");
    }
  }
  if (json::string_at(volume, {"emptyDir", "medium"}).starts_with("HugePages")) {
    return refuse(at + ".emptyDir.medium HugePages", "use Memory");
  }
  return std::nullopt;
}

Found check_action(const json::Value& action, const std::string& at) {
  if (json::find(action, {"grpc"})) return refuse(at + ".grpc", "use exec, httpGet or tcpSocket");
  if (json::string_at(action, {"httpGet", "scheme"}) == "HTTPS") {
    return refuse(at + ".httpGet.scheme HTTPS", "use tcpSocket, exec or HTTP");
  }
  return std::nullopt;
}

Found check_security(const json::Value& context, const std::string& at) {
  for (const auto* profile : {"seccompProfile", "appArmorProfile"}) {
    if (json::string_at(context, {profile, "type"}) == "Localhost") {
      return refuse(at + "." + profile + ".type Localhost", "use RuntimeDefault or Unconfined");
    }
  }
  return std::nullopt;
}

Found check_container(const json::Value& container, const std::string& at) {
  for (const auto* field : {"volumeDevices", "restartPolicyRules"}) {
    if (!json::array_at(container, {field}).empty()) return refuse(at + "." + field, "remove it");
  }
  if (!json::array_at(container, {"resources", "claims"}).empty()) {
    return refuse(at + ".resources.claims", "remove it");
  }
  for (const auto& member : json::object_at(container, {"resources", "limits"})) {
    if (std::string_view(member.key()).starts_with("hugepages-")) {
      return refuse(at + ".resources.limits." + std::string(member.key()), "remove it");
    }
  }
  for (const auto* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const auto* spec = json::find(container, {probe});
    if (!spec) continue;
    if (auto found = check_action(*spec, at + "." + probe)) return found;
  }
  for (const auto* hook : {"postStart", "preStop"}) {
    const auto* spec = json::find(container, {"lifecycle", hook});
    if (!spec) continue;
    if (auto found = check_action(*spec, at + ".lifecycle." + hook)) return found;
  }
  const auto& variables = json::array_at(container, {"env"});
  for (std::size_t i = 0; i < variables.size(); ++i) {
    if (json::find(variables[i], {"valueFrom", "fileKeyRef"})) {
      return refuse(indexed(at + ".env", i) + ".valueFrom.fileKeyRef", "use configMapKeyRef");
    }
  }
  const auto* context = json::find(container, {"securityContext"});
  return context ? check_security(*context, at + ".securityContext") : std::nullopt;
}

Found check_pod_fields(const json::Value& pod) {
  const auto* runtime_class = json::find(pod, {"spec", "runtimeClassName"});
  if (runtime_class && runtime_class->is_string()) {
    return refuse("spec.runtimeClassName", "remove it");
  }
  const auto* host_users = json::find(pod, {"spec", "hostUsers"});
  if (host_users && host_users->is_bool() && !host_users->get_bool()) {
    return refuse("spec.hostUsers false", "remove it");
  }
  if (json::string_at(pod, {"spec", "os", "name"}) == "windows") {
    return refuse("spec.os.name windows", "run it on a Windows node");
  }
  for (const auto* field : {"resourceClaims", "ephemeralContainers"}) {
    if (!json::array_at(pod, {"spec", field}).empty()) {
      return refuse(std::string("spec.") + field, "remove it");
    }
  }
  const auto* context = json::find(pod, {"spec", "securityContext"});
  return context ? check_security(*context, "spec.securityContext") : std::nullopt;
}

template <class Check>
Found check_list(const json::Value& pod, const char* field, const Check& check) {
  const auto& list = json::array_at(pod, {"spec", field});
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (auto found = check(list[i], indexed(std::string("spec.") + field, i))) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_unsupported(const json::Value& pod) {
  if (auto found = check_pod_fields(pod)) return found;
  if (auto found = check_list(pod, "volumes", check_volume)) return found;
  if (auto found = check_list(pod, "initContainers", check_container)) return found;
  return check_list(pod, "containers", check_container);
}

std::optional<std::string> find_unsupported_change(const json::Value& before,
                                                   const json::Value& after) {
  const auto count = [](const json::Value& pod) {
    return json::array_at(pod, {"spec", "ephemeralContainers"}).size();
  };
  if (count(after) > count(before)) {
    return refuse("spec.ephemeralContainers", "start a pod of its own beside this one");
  }
  const auto& old = json::array_at(before, {"spec", "containers"});
  const auto& now = json::array_at(after, {"spec", "containers"});
  for (std::size_t i = 0; i < std::min(old.size(), now.size()); ++i) {
    if (json::object_at(old[i], {"resources"}) == json::object_at(now[i], {"resources"})) continue;
    return refuse("changing " + indexed("spec.containers", i) + ".resources of a running pod",
                  "the new values hold from the container's next start");
  }
  return std::nullopt;
}

}  // namespace koi::agent
