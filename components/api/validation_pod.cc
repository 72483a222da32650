#include <algorithm>
#include <array>
#include <set>
#include <unordered_set>

#include "api/quantity.h"
#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

using NameSet = std::unordered_set<std::string>;

void check_unique_name(FieldErrors& errors, const json::Value& item, std::string_view path,
                       NameSet& names, Complaint (*check)(std::string_view)) {
  const std::string_view name = json::string_at(item, {"name"});
  if (name.empty()) {
    errors.push_back(required(at(path, "name")));
    return;
  }
  check_name(errors, at(path, "name"), name, check);
  if (!names.emplace(name).second) {
    errors.push_back(duplicate(at(path, "name"), json::Value(std::string(name))));
  }
}

void check_image(FieldErrors& errors, const json::Value& container, std::string_view path) {
  const std::string_view image = json::string_at(container, {"image"});
  if (image.empty()) {
    errors.push_back(required(at(path, "image")));
  } else if (image.find_first_of(" \t\r\n") == 0 ||
             image.find_last_of(" \t\r\n") == image.size() - 1) {
    errors.push_back(invalid(at(path, "image"), json::Value(std::string(image)),
                             "must not have leading or trailing whitespace"));
  }
}

void check_ports(FieldErrors& errors, const json::Value& container, std::string_view path,
                 bool is_on_host, std::set<std::string>& host_ports) {
  NameSet names;
  const json::Array& ports = json::array_at(container, {"ports"});
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::string here = at(at(path, "ports"), i);
    const std::string_view name = json::string_at(ports[i], {"name"});
    if (!name.empty()) check_unique_name(errors, ports[i], here, names, check_port_name);
    const auto port = json::int_at(ports[i], {"containerPort"}, 0);
    if (port == 0) {
      errors.push_back(required(at(here, "containerPort")));
    } else {
      check_port_number(errors, at(here, "containerPort"), port);
    }
    const auto host_port = json::int_at(ports[i], {"hostPort"}, 0);
    if (host_port == 0) continue;
    check_port_number(errors, at(here, "hostPort"), host_port);
    if (is_on_host && host_port != port) {
      errors.push_back(invalid(at(here, "containerPort"), port,
                               "must match `hostPort` when `hostNetwork` is true"));
    }
    std::string claim(json::string_at(ports[i], {"protocol"}));
    claim.append("/").append(json::string_at(ports[i], {"hostIP"}));
    claim.append("/").append(std::to_string(host_port));
    if (!host_ports.insert(claim).second) {
      errors.push_back(duplicate(at(here, "hostPort"), json::Value(claim)));
    }
  }
}

void check_env(FieldErrors& errors, const json::Value& container, std::string_view path) {
  const json::Array& list = json::array_at(container, {"env"});
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string here = at(at(path, "env"), i);
    const std::string_view name = json::string_at(list[i], {"name"});
    if (name.empty()) {
      errors.push_back(required(at(here, "name")));
    } else {
      check_name(errors, at(here, "name"), name, check_env_name);
    }
    if (json::find(list[i], {"valueFrom"}) == nullptr) continue;
    const std::string source = at(here, "valueFrom");
    const auto count = json::object_at(list[i], {"valueFrom"}).size();
    if (count == 0) {
      errors.push_back(invalid(source, json::Value(""),
                               "must specify one of: `fieldRef`, `resourceFieldRef`, "
                               "`configMapKeyRef` or `secretKeyRef`"));
    } else if (count > 1) {
      errors.push_back(
          invalid(source, json::Value(""), "may not have more than one field specified at a time"));
    }
    if (!json::string_at(list[i], {"value"}).empty()) {
      errors.push_back(
          invalid(source, json::Value(""), "may not be specified when `value` is not empty"));
    }
  }
}

void check_mounts(FieldErrors& errors, const json::Value& container, std::string_view path,
                  const NameSet& volumes) {
  NameSet places;
  const json::Array& mounts = json::array_at(container, {"volumeMounts"});
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string here = at(at(path, "volumeMounts"), i);
    const std::string name(json::string_at(mounts[i], {"name"}));
    if (name.empty()) {
      errors.push_back(required(at(here, "name")));
    } else if (!volumes.contains(name)) {
      errors.push_back(not_found_value(at(here, "name"), json::Value(name)));
    }
    const std::string place(json::string_at(mounts[i], {"mountPath"}));
    if (place.empty()) {
      errors.push_back(required(at(here, "mountPath")));
    } else if (!places.insert(place).second) {
      errors.push_back(invalid(at(here, "mountPath"), json::Value(place), "must be unique"));
    }
    const std::string sub_path(json::string_at(mounts[i], {"subPath"}));
    if (sub_path.starts_with('/')) {
      errors.push_back(
          invalid(at(here, "subPath"), json::Value(sub_path), "must be a relative path"));
    }
    if (("/" + sub_path + "/").find("/../") != std::string::npos) {
      errors.push_back(
          invalid(at(here, "subPath"), json::Value(sub_path), "must not contain '..'"));
    }
  }
}

bool is_standard_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" || name == "storage" ||
         name.starts_with("hugepages-") || name.find('/') != std::string_view::npos;
}

// The quantities of one list, by name; what is none is reported.
void check_amounts(FieldErrors& errors, const json::Object& amounts, const std::string& path) {
  for (const auto& amount : amounts) {
    const std::string here = at_key(path, amount.key());
    if (!is_standard_resource(amount.key())) {
      errors.push_back(invalid(here, json::Value(std::string(amount.key())),
                               "must be a standard resource type or fully qualified"));
    }
    const auto quantity = Quantity::parse(json::string_at(amount.value(), {}));
    if (!quantity) {
      errors.push_back(invalid(here, amount.value(), quantity.error().message));
    } else if (quantity->is_negative()) {
      errors.push_back(invalid(here, amount.value(), "must be greater than or equal to 0"));
    }
  }
}

struct ContainerContext {
  const NameSet& volumes;
  bool is_on_host = false;
  bool is_init = false;
};

void check_probes(FieldErrors& errors, const json::Value& container, std::string_view path,
                  bool is_init) {
  const bool is_sidecar = json::string_at(container, {"restartPolicy"}) == "Always";
  for (const std::string_view kind : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const json::Value* probe = json::find(container, {kind});
    if (probe == nullptr) continue;
    if (is_init && !is_sidecar) {
      errors.push_back(forbidden(at(path, kind),
                                 "may not be set for init containers without "
                                 "restartPolicy=Always"));
    } else {
      check_probe(errors, *probe, at(path, kind), kind);
    }
  }
}

void check_container(FieldErrors& errors, const json::Value& container, const std::string& path,
                     const ContainerContext& context, std::set<std::string>& host_ports) {
  check_image(errors, container, path);
  check_ports(errors, container, path, context.is_on_host, host_ports);
  check_env(errors, container, path);
  check_mounts(errors, container, path, context.volumes);
  check_probes(errors, container, path, context.is_init);
  if (const json::Value* resources = json::find(container, {"resources"})) {
    check_resources(errors, *resources, at(path, "resources"));
  }
  const std::string_view restart = json::string_at(container, {"restartPolicy"});
  if (context.is_init && !restart.empty() && restart != "Always" && restart != "Never" &&
      restart != "OnFailure") {
    errors.push_back(not_supported(at(path, "restartPolicy"), json::Value(std::string(restart)),
                                   {"Always", "Never", "OnFailure"}));
  }
  const json::Value* user = json::find(container, {"securityContext", "runAsUser"});
  if (user != nullptr && json::int_at(*user, {}, 0) < 0) {
    errors.push_back(invalid(at(path, "securityContext.runAsUser"), *user,
                             "must be between 0 and 2147483647, inclusive"));
  }
}

void check_tolerations(FieldErrors& errors, const json::Value& spec, std::string_view path) {
  const json::Array& list = json::array_at(spec, {"tolerations"});
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string here = at(at(path, "tolerations"), i);
    const std::string_view key = json::string_at(list[i], {"key"});
    const std::string_view op = json::string_at(list[i], {"operator"});
    const std::string value(json::string_at(list[i], {"value"}));
    if (!key.empty()) check_name(errors, at(here, "key"), key, check_qualified_name);
    if (key.empty() && op != "Exists") {
      errors.push_back(invalid(at(here, "operator"), json::Value(std::string(op)),
                               "operator must be Exists when `key` is empty, which means \"match "
                               "all values and all keys\""));
    }
    if (op == "Exists" && !value.empty()) {
      errors.push_back(invalid(at(here, "operator"), json::Value(value),
                               "value must be empty when `operator` is 'Exists'"));
    }
    const bool has_seconds = json::find(list[i], {"tolerationSeconds"}) != nullptr;
    if (has_seconds && json::string_at(list[i], {"effect"}) != "NoExecute") {
      errors.push_back(invalid(at(here, "effect"),
                               json::Value(std::string(json::string_at(list[i], {"effect"}))),
                               "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
  }
}

void check_pod_fields(FieldErrors& errors, const json::Value& spec, std::string_view path) {
  const json::Value* deadline = json::find(spec, {"activeDeadlineSeconds"});
  if (deadline != nullptr) {
    const auto seconds = json::int_at(*deadline, {}, 0);
    if (seconds < 1 || seconds > 2147483647) {
      errors.push_back(invalid(at(path, "activeDeadlineSeconds"), *deadline,
                               "must be between 1 and 2147483647, inclusive"));
    }
  }
  check_not_negative(errors, spec, path, "terminationGracePeriodSeconds");
  struct Named {
    std::string_view member;
    Complaint (*check)(std::string_view);
  };
  static constexpr Named names[] = {{"serviceAccountName", check_dns1123_subdomain},
                                    {"nodeName", check_dns1123_subdomain},
                                    {"priorityClassName", check_dns1123_subdomain},
                                    {"runtimeClassName", check_dns1123_subdomain},
                                    {"hostname", check_dns1123_label},
                                    {"subdomain", check_dns1123_label}};
  for (const auto& [member, check] : names) {
    const std::string_view name = json::string_at(spec, {member});
    if (!name.empty()) check_name(errors, at(path, member), name, check);
  }
  check_labels(errors, at(path, "nodeSelector"), json::object_at(spec, {"nodeSelector"}));
  if (json::string_at(spec, {"dnsPolicy"}) == "None" &&
      is_empty(spec, {"dnsConfig", "nameservers"})) {
    errors.push_back(
        required(at(path, json::find(spec, {"dnsConfig"}) == nullptr ? "dnsConfig"
                                                                     : "dnsConfig.nameservers"),
                 "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
}

}  // namespace

void check_resources(FieldErrors& errors, const json::Value& resources, std::string_view path) {
  const json::Object& limits = json::object_at(resources, {"limits"});
  const json::Object& requests = json::object_at(resources, {"requests"});
  check_amounts(errors, limits, at(path, "limits"));
  check_amounts(errors, requests, at(path, "requests"));
  for (const auto& request : requests) {
    const json::Value* limit = limits.if_contains(request.key());
    if (limit == nullptr) continue;
    const auto least = Quantity::parse(json::string_at(request.value(), {}));
    const auto most = Quantity::parse(json::string_at(*limit, {}));
    if (least && most && *least > *most) {
      errors.push_back(invalid(at(path, "requests"), json::Value(least->str()),
                               "must be less than or equal to " + std::string(request.key()) +
                                   " limit of " + most->str()));
    }
  }
}

void check_probe(FieldErrors& errors, const json::Value& probe, std::string_view path,
                 std::string_view kind) {
  static constexpr std::array<std::string_view, 4> handlers = {"exec", "httpGet", "tcpSocket",
                                                               "grpc"};
  const auto count = std::ranges::count_if(handlers, [&probe](std::string_view handler) {
    return json::find(probe, {handler}) != nullptr;
  });
  if (count == 0) errors.push_back(required(std::string(path), "must specify a handler type"));
  if (count > 1) {
    errors.push_back(forbidden(std::string(path), "may not specify more than 1 handler type"));
  }
  for (const std::string_view member : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                                        "successThreshold", "failureThreshold"}) {
    check_not_negative(errors, probe, path, member);
  }
  const json::Value* success = json::find(probe, {"successThreshold"});
  if (kind != "readinessProbe" && success != nullptr && json::int_at(*success, {}, 1) != 1) {
    errors.push_back(invalid(at(path, "successThreshold"), *success, "must be 1"));
  }
  const json::Value* grace = json::find(probe, {"terminationGracePeriodSeconds"});
  if (grace != nullptr && kind == "readinessProbe") {
    errors.push_back(invalid(at(path, "terminationGracePeriodSeconds"), *grace,
                             "must not be set for readinessProbes"));
  } else if (grace != nullptr && json::int_at(*grace, {}, 0) <= 0) {
    errors.push_back(
        invalid(at(path, "terminationGracePeriodSeconds"), *grace, "must be greater than 0"));
  }
  for (const std::string_view handler : {"httpGet", "tcpSocket"}) {
    check_port_reference(errors, at(at(path, handler), "port"),
                         json::find(probe, {handler, "port"}));
  }
  if (json::find(probe, {"exec"}) != nullptr && is_empty(probe, {"exec", "command"})) {
    errors.push_back(required(at(path, "exec.command")));
  }
}

void check_pod_spec(FieldErrors& errors, const json::Value& spec, std::string_view path) {
  check_volumes(errors, spec, path);
  NameSet volumes;
  for (const json::Value& volume : json::array_at(spec, {"volumes"})) {
    volumes.emplace(json::string_at(volume, {"name"}));
  }
  if (is_empty(spec, {"containers"})) errors.push_back(required(at(path, "containers")));
  NameSet names;
  const bool is_on_host = json::bool_at(spec, {"hostNetwork"});
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    // Host ports may not collide within a pod, save that init containers have gone by then.
    std::set<std::string> host_ports;
    const json::Array& containers = json::array_at(spec, {list});
    for (std::size_t i = 0; i < containers.size(); ++i) {
      const std::string here = at(at(path, list), i);
      check_unique_name(errors, containers[i], here, names, check_dns1123_label);
      const ContainerContext context{volumes, is_on_host, list == "initContainers"};
      if (list == "initContainers") host_ports.clear();
      check_container(errors, containers[i], here, context, host_ports);
    }
  }
  check_tolerations(errors, spec, path);
  check_pod_fields(errors, spec, path);
}

}  // namespace koi::api::rules
