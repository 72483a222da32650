#include <string>

#include "api/base64.h"
#include "api/default_hooks.h"

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;

// stringData is only for writing: it is folded into data and forgotten.
void secret(Object& object) {
  const auto* plain = object_member(object, "stringData");
  if (plain == nullptr) return;
  const Object source = *plain;
  auto& data = object["data"];
  auto& target = data.is_object() ? data.get_object() : data.emplace_object();
  for (const auto& member : source) {
    const auto* text = member.value().if_string();
    if (text != nullptr) target[member.key()] = encode_base64({text->data(), text->size()});
  }
  object.erase("stringData");
}

void name_space(Object& object) {
  auto* metadata = object_member(object, "metadata");
  if (metadata == nullptr) return;
  const std::string name(text_member(*metadata, "name"));
  if (name.empty()) return;
  auto& labels = (*metadata)["labels"];
  auto& target = labels.is_object() ? labels.get_object() : labels.emplace_object();
  target["kubernetes.io/metadata.name"] = name;
}

void service_port(Object& object) {
  const auto* target = object.if_contains("targetPort");
  const bool is_unset = target == nullptr || *target == 0 || *target == "";
  const auto* port = object.if_contains("port");
  if (is_unset && port != nullptr) {
    const Value number = *port;
    object["targetPort"] = number;
  }
}

void session_affinity(Object& spec) {
  if (text_member(spec, "sessionAffinity") == "None") spec.erase("sessionAffinityConfig");
  if (text_member(spec, "sessionAffinity") != "ClientIP") return;
  auto& config = spec["sessionAffinityConfig"];
  auto& object = config.is_object() ? config.get_object() : config.emplace_object();
  // ClientIPConfig has its own default for the time.
  if (!has(object, "clientIP")) object["clientIP"].emplace_object();
}

void service(Object& object) {
  auto* spec = object_member(object, "spec");
  if (spec == nullptr) return;
  set_missing(*spec, "type", "ClusterIP");
  const std::string type(text_member(*spec, "type"));
  const auto* external = array_member(*spec, "externalIPs");
  const bool is_external = type == "NodePort" || type == "LoadBalancer" ||
                           (type == "ClusterIP" && external != nullptr && !external->empty());
  if (is_external) set_missing(*spec, "externalTrafficPolicy", "Cluster");
  if (type != "ExternalName") set_missing(*spec, "internalTrafficPolicy", "Cluster");
  if (type != "LoadBalancer") return;
  set_missing(*spec, "allocateLoadBalancerNodePorts", true);
  auto* status = object_member(object, "status");
  auto* balancer = status != nullptr ? object_member(*status, "loadBalancer") : nullptr;
  auto* ingress = balancer != nullptr ? array_member(*balancer, "ingress") : nullptr;
  if (ingress == nullptr) return;
  for (auto& item : *ingress) {
    auto* entry = item.if_object();
    if (entry != nullptr && has(*entry, "ip")) set_missing(*entry, "ipMode", "VIP");
  }
}

void node_status(Object& object) {
  const auto* capacity = object_member(object, "capacity");
  if (capacity == nullptr || has(object, "allocatable")) return;
  const Object copy = *capacity;
  object["allocatable"] = copy;
}

Object& resource_list(Object& object, std::string_view name) {
  auto& list = object[name];
  return list.is_object() ? list.get_object() : list.emplace_object();
}

// For containers the limits of a LimitRange fill each other: max, default, defaultRequest, min.
void limit_range_item(Object& object) {
  if (text_member(object, "type") != "Container") return;
  const auto fill = [&object](std::string_view source, std::string_view target) {
    const auto* found = object_member(object, source);
    if (found == nullptr || found->empty()) return;
    const Object copy = *found;
    copy_missing(copy, resource_list(object, target));
  };
  fill("max", "default");
  fill("default", "defaultRequest");
  fill("min", "defaultRequest");
}

void replication_controller(Object& object) {
  auto* spec = object_member(object, "spec");
  auto* pod_template = spec != nullptr ? object_member(*spec, "template") : nullptr;
  auto* meta = pod_template != nullptr ? object_member(*pod_template, "metadata") : nullptr;
  auto* labels = meta != nullptr ? object_member(*meta, "labels") : nullptr;
  if (labels == nullptr) return;
  const Object copy = *labels;
  set_missing(*spec, "selector", copy);
  if (auto* own = object_member(object, "metadata")) set_missing(*own, "labels", copy);
}

constexpr DefaultHook hooks[] = {
    {"core.v1.Secret", secret},
    {"core.v1.Namespace", name_space},
    {"core.v1.ServicePort", service_port},
    {"core.v1.ServiceSpec", session_affinity},
    {"core.v1.Service", service},
    {"core.v1.NodeStatus", node_status},
    {"core.v1.LimitRangeItem", limit_range_item},
    {"core.v1.ReplicationController", replication_controller},
};

}  // namespace

std::span<const DefaultHook> core_default_hooks() { return hooks; }

}  // namespace koi::api
