#include <algorithm>
#include <array>
#include <set>
#include <unordered_set>

#include "api/quantity.h"
#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

constexpr std::size_t data_bytes_max = 1024 * 1024;

// Decoded size of base64 text.
std::size_t decoded_bytes(std::string_view text) {
  std::size_t bytes = text.size() / 4 * 3;
  if (text.ends_with("==")) return bytes - std::min<std::size_t>(bytes, 2);
  return text.ends_with('=') ? bytes - std::min<std::size_t>(bytes, 1) : bytes;
}

// The keys of one member of a ConfigMap or Secret. Returns how many bytes the values have.
std::size_t check_data(FieldErrors& errors, const json::Value& object, std::string_view member,
                       bool is_base64) {
  std::size_t bytes = 0;
  for (const auto& entry : json::object_at(object, {member})) {
    if (const auto wrong = check_config_key(entry.key())) {
      errors.push_back(
          invalid(at_key(member, entry.key()), json::Value(std::string(entry.key())), *wrong));
    }
    const std::string_view text = json::string_at(entry.value(), {});
    bytes += is_base64 ? decoded_bytes(text) : text.size();
  }
  return bytes;
}

void check_frozen(FieldErrors& errors, const ValidationRequest& request) {
  static constexpr std::string_view why = "field is immutable when `immutable` is set";
  if (request.before == nullptr || !json::bool_at(*request.before, {"immutable"})) return;
  if (!json::bool_at(*request.object, {"immutable"})) {
    errors.push_back(forbidden("immutable", std::string(why)));
  }
  for (const std::string_view member : {"data", "binaryData"}) {
    if (!is_same(json::find(*request.object, {member}), json::find(*request.before, {member}))) {
      errors.push_back(forbidden(std::string(member), std::string(why)));
    }
  }
}

void check_config_map(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  std::size_t bytes = check_data(errors, object, "data", false);
  bytes += check_data(errors, object, "binaryData", true);
  for (const auto& entry : json::object_at(object, {"binaryData"})) {
    if (json::object_at(object, {"data"}).contains(entry.key())) {
      errors.push_back(invalid(at_key("data", entry.key()), json::Value(std::string(entry.key())),
                               "duplicate of key present in binaryData"));
    }
  }
  if (bytes > data_bytes_max) errors.push_back(too_long("", data_bytes_max));
  check_frozen(errors, request);
}

void check_secret(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  if (check_data(errors, object, "data", true) > data_bytes_max) {
    errors.push_back(too_long("data", data_bytes_max));
  }
  const std::string_view type = json::string_at(object, {"type"});
  const auto needs = [&](std::string_view key) {
    if (!json::object_at(object, {"data"}).contains(key)) {
      errors.push_back(required(at_key("data", key)));
    }
  };
  if (type == "kubernetes.io/dockerconfigjson") needs(".dockerconfigjson");
  if (type == "kubernetes.io/dockercfg") needs(".dockercfg");
  if (type == "kubernetes.io/ssh-auth") needs("ssh-privatekey");
  if (type == "kubernetes.io/tls") {
    needs("tls.crt");
    needs("tls.key");
  }
  const json::Object& data = json::object_at(object, {"data"});
  if (type == "kubernetes.io/basic-auth" && !data.contains("username") &&
      !data.contains("password")) {
    errors.push_back(required("data[username]"));
    errors.push_back(required("data[password]"));
  }
  static constexpr std::string_view account = "kubernetes.io/service-account.name";
  if (type == "kubernetes.io/service-account-token" &&
      json::string_at(object, {"metadata", "annotations", account}).empty()) {
    errors.push_back(required(at_key("metadata.annotations", account)));
  }
  if (request.before != nullptr) {
    check_immutable(errors, "type", json::find(object, {"type"}),
                    json::find(*request.before, {"type"}));
  }
  check_frozen(errors, request);
}

void check_service_port(FieldErrors& errors, const json::Value& port, const std::string& path,
                        std::string_view type, bool needs_name) {
  const std::string_view name = json::string_at(port, {"name"});
  if (name.empty()) {
    if (needs_name) errors.push_back(required(at(path, "name")));
  } else {
    check_name(errors, at(path, "name"), name, check_dns1123_label);
  }
  check_port_number(errors, at(path, "port"), json::int_at(port, {"port"}, 0));
  check_port_reference(errors, at(path, "targetPort"), json::find(port, {"targetPort"}));
  const auto node_port = json::int_at(port, {"nodePort"}, 0);
  if (node_port != 0 && type == "ClusterIP") {
    errors.push_back(forbidden(at(path, "nodePort"), "may not be used when `type` is 'ClusterIP'"));
  }
}

void check_service_ports(FieldErrors& errors, const json::Value& service) {
  const json::Array& ports = json::array_at(service, {"spec", "ports"});
  const std::string_view type = json::string_at(service, {"spec", "type"});
  const bool is_headless = json::string_at(service, {"spec", "clusterIP"}) == "None";
  if (ports.empty() && !is_headless && type != "ExternalName") {
    errors.push_back(required("spec.ports"));
  }
  std::unordered_set<std::string> names;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::string path = at("spec.ports", i);
    check_service_port(errors, ports[i], path, type, ports.size() > 1);
    const std::string name(json::string_at(ports[i], {"name"}));
    if (!name.empty() && !names.insert(name).second) {
      errors.push_back(duplicate(at(path, "name"), json::Value(name)));
    }
    json::Object key;
    if (const json::Value* protocol = json::find(ports[i], {"protocol"})) {
      key["protocol"] = *protocol;
    }
    key["port"] = json::int_at(ports[i], {"port"}, 0);
    json::Value pair(std::move(key));
    if (!seen.insert(json::serialize(pair)).second) {
      errors.push_back(duplicate(path, std::move(pair)));
    }
  }
}

void check_service(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& service = *request.object;
  check_service_ports(errors, service);
  check_labels(errors, "spec.selector", json::object_at(service, {"spec", "selector"}));
  const std::string_view type = json::string_at(service, {"spec", "type"});
  const std::string external(json::string_at(service, {"spec", "externalName"}));
  const std::string address(json::string_at(service, {"spec", "clusterIP"}));
  if (type == "ExternalName") {
    if (external.empty()) {
      errors.push_back(required("spec.externalName"));
    } else {
      check_name(errors, "spec.externalName",
                 external.ends_with('.') ? external.substr(0, external.size() - 1) : external,
                 check_dns1123_subdomain);
    }
    if (!address.empty()) {
      errors.push_back(
          forbidden("spec.clusterIPs[0]", "may not be set when `type` is 'ExternalName'"));
    }
  }
  if (!address.empty() && address != "None" && check_ip(address)) {
    errors.push_back(invalid("spec.clusterIPs[0]", json::Value(address),
                             "must be empty (''), 'None', or a valid IP address"));
  }
  if (type == "LoadBalancer" && address == "None") {
    errors.push_back(invalid("spec.clusterIPs[0]", json::Value(address),
                             "may not be set to 'None' for LoadBalancer services"));
  }
  if (request.before == nullptr) return;
  const std::string had(json::string_at(*request.before, {"spec", "clusterIP"}));
  const bool had_address = json::string_at(*request.before, {"spec", "type"}) != "ExternalName";
  if (!had.empty() && had_address && type != "ExternalName" && address != had) {
    errors.push_back(invalid("spec.clusterIPs[0]", json::Value(json::Array{json::Value(address)}),
                             "may not change once set"));
  }
}

void check_claim(FieldErrors& errors, const ValidationRequest& request) {
  static constexpr std::array<std::string_view, 2> mutable_members = {"resources",
                                                                      "volumeAttributesClassName"};
  const json::Value& claim = *request.object;
  if (is_empty(claim, {"spec", "accessModes"})) {
    errors.push_back(required("spec.accessModes", "at least 1 access mode is required"));
  }
  const json::Value* storage = json::find(claim, {"spec", "resources", "requests", "storage"});
  if (storage == nullptr) {
    errors.push_back(required("spec.resources[storage]"));
  } else {
    const auto quantity = Quantity::parse(json::string_at(*storage, {}));
    if (quantity && (quantity->is_negative() || quantity->is_zero())) {
      errors.push_back(invalid("spec.resources[storage]", *storage, "must be greater than zero"));
    }
  }
  if (request.before == nullptr) return;
  json::Value now = json::object_at(claim, {"spec"});
  json::Value before = json::object_at(*request.before, {"spec"});
  const bool was_bound = !json::string_at(before, {"volumeName"}).empty();
  for (const std::string_view member : mutable_members) {
    json::erase(now, {member});
    json::erase(before, {member});
  }
  // The binder sets these once.
  for (const std::string_view member : {"volumeName", "storageClassName"}) {
    if (json::find(before, {member}) == nullptr && !was_bound) json::erase(now, {member});
  }
  if (now != before) {
    errors.push_back(forbidden("spec",
                               "spec is immutable after creation except resources.requests and "
                               "volumeAttributesClassName for bound claims"));
  }
}

void check_volume(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& volume = *request.object;
  if (is_empty(volume, {"spec", "accessModes"})) {
    errors.push_back(required("spec.accessModes"));
  }
  if (is_empty(volume, {"spec", "capacity"})) errors.push_back(required("spec.capacity"));
}

void check_event(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& event = *request.object;
  const std::string_view about = json::string_at(event, {"involvedObject", "namespace"});
  const std::string_view home = json::string_at(event, {"metadata", "namespace"});
  if (!about.empty() && about != home) {
    errors.push_back(invalid("involvedObject.namespace", json::Value(std::string(about)),
                             "does not match event.namespace"));
  }
}

void check_node(FieldErrors& errors, const ValidationRequest& request) {
  std::set<std::string> seen;
  const json::Array& taints = json::array_at(*request.object, {"spec", "taints"});
  for (std::size_t i = 0; i < taints.size(); ++i) {
    const std::string path = at("spec.taints", i);
    const std::string_view key = json::string_at(taints[i], {"key"});
    check_name(errors, at(path, "key"), key, check_qualified_name);
    check_name(errors, at(path, "value"), json::string_at(taints[i], {"value"}), check_label_value);
    if (json::string_at(taints[i], {"effect"}).empty()) {
      errors.push_back(required(at(path, "effect")));
    }
    std::string pair(key);
    pair.append("/").append(json::string_at(taints[i], {"effect"}));
    if (!seen.insert(pair).second) {
      errors.push_back(duplicate(path, taints[i]));
      errors.back().detail = "taints must be unique by key and effect pair";
    }
  }
}

void check_endpoints(FieldErrors& errors, const ValidationRequest& request) {
  const json::Array& subsets = json::array_at(*request.object, {"subsets"});
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    for (const std::string_view list : {"addresses", "notReadyAddresses"}) {
      const json::Array& addresses = json::array_at(subsets[i], {list});
      for (std::size_t j = 0; j < addresses.size(); ++j) {
        check_name(errors, at(at(at(at("subsets", i), list), j), "ip"),
                   json::string_at(addresses[j], {"ip"}), check_ip);
      }
    }
  }
}

}  // namespace

KindRule core_rule(const Kind& kind) {
  if (!kind.group.empty()) return nullptr;
  struct Entry {
    std::string_view kind;
    KindRule rule;
  };
  static constexpr Entry entries[] = {
      {"ConfigMap", check_config_map},
      {"Endpoints", check_endpoints},
      {"Event", check_event},
      {"Node", check_node},
      {"PersistentVolume", check_volume},
      {"PersistentVolumeClaim", check_claim},
      {"Secret", check_secret},
      {"Service", check_service},
  };
  for (const Entry& entry : entries) {
    if (entry.kind == kind.kind) return entry.rule;
  }
  return nullptr;
}

}  // namespace koi::api::rules
