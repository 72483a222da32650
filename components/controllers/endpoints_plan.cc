#include "controllers/endpoints_plan.h"

#include <algorithm>
#include <map>
#include <optional>

#include "client/events.h"
#include "client/object_key.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

using client::text;

constexpr std::size_t endpoints_per_slice_max = 100;

std::string_view family_of(std::string_view address) {
  return address.find(':') == std::string_view::npos ? "IPv4" : "IPv6";
}

// The families that the Service is served in; IPv4 where nothing says otherwise.
std::vector<std::string_view> families_of(const json::Value& service) {
  std::vector<std::string_view> families;
  for (const auto& each : json::array_at(service, {"spec", "ipFamilies"})) {
    families.push_back(json::string_at(each, {}));
  }
  if (families.empty()) {
    const auto address = json::string_at(service, {"spec", "clusterIP"});
    families.push_back(address.empty() || address == "None" ? "IPv4" : family_of(address));
  }
  return families;
}

std::string address_of(const json::Value& pod, std::string_view family) {
  for (const auto& each : json::array_at(pod, {"status", "podIPs"})) {
    const auto ip = json::string_at(each, {"ip"});
    if (!ip.empty() && family_of(ip) == family) return std::string(ip);
  }
  const auto ip = json::string_at(pod, {"status", "podIP"});
  return !ip.empty() && family_of(ip) == family ? std::string(ip) : std::string();
}

// The number behind a Service port on this pod; absent where a named port is not there.
std::optional<std::int64_t> target_port(const json::Value& port, const json::Value& pod) {
  const auto* target = json::find(port, {"targetPort"});
  if (target == nullptr) return json::int_at(port, {"port"});
  if (!target->is_string()) return json::int_at(*target, {});
  const auto name = json::string_at(*target, {});
  const auto wanted = json::string_at(port, {"protocol"});
  const std::string_view protocol = wanted.empty() ? "TCP" : wanted;
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const auto& container : json::array_at(pod, {"spec", list})) {
      for (const auto& each : json::array_at(container, {"ports"})) {
        const auto own = json::string_at(each, {"protocol"});
        const bool same =
            json::string_at(each, {"name"}) == name && (own.empty() ? "TCP" : own) == protocol;
        if (same) return json::int_at(each, {"containerPort"});
      }
    }
  }
  return std::nullopt;
}

json::Array ports_of(const json::Value& service, const json::Value& pod, bool for_slice) {
  json::Array ports;
  for (const auto& each : json::array_at(service, {"spec", "ports"})) {
    const auto number = target_port(each, pod);
    if (!number) continue;
    json::Object port;
    const auto name = json::string_at(each, {"name"});
    if (for_slice || !name.empty()) port["name"] = name;
    port["port"] = *number;
    const auto protocol = json::string_at(each, {"protocol"});
    port["protocol"] = protocol.empty() ? "TCP" : protocol;
    if (const auto* app = json::find(each, {"appProtocol"})) port["appProtocol"] = *app;
    ports.push_back(std::move(port));
  }
  return ports;
}

json::Value pod_reference(const api::Object& pod) {
  return json::Object{
      {"kind", "Pod"}, {"namespace", pod.name_space()}, {"name", pod.name()}, {"uid", pod.uid()}};
}

bool publishes_unready(const json::Value& service) {
  return json::bool_at(service, {"spec", "publishNotReadyAddresses"});
}

json::Value base_object(const EndpointsFacts& facts, std::string_view api_version,
                        std::string_view kind) {
  json::Value object = json::Object{{"apiVersion", api_version}, {"kind", kind}};
  json::set(object, {"metadata", "namespace"}, text(facts.service.name_space()));
  json::Object labels = json::object_at(facts.service.value(), {"metadata", "labels"});
  // Headless services are marked so that proxies need not look at them.
  if (json::string_at(facts.service.value(), {"spec", "clusterIP"}) == "None") {
    labels["service.kubernetes.io/headless"] = "";
  }
  json::set(object, {"metadata", "labels"}, std::move(labels));
  return object;
}

json::Value endpoint_of(const api::Object& pod, std::string address, bool publish) {
  const bool terminating = pod.is_terminating();
  const bool serving = is_pod_ready(pod);
  json::Value endpoint = json::Object{{"addresses", json::Array{text(address)}}};
  json::set(endpoint, {"conditions", "ready"}, publish || (serving && !terminating));
  json::set(endpoint, {"conditions", "serving"}, serving);
  json::set(endpoint, {"conditions", "terminating"}, terminating);
  const auto hostname = json::string_at(pod.value(), {"spec", "hostname"});
  if (!hostname.empty()) json::set(endpoint, {"hostname"}, text(hostname));
  const auto node = json::string_at(pod.value(), {"spec", "nodeName"});
  if (!node.empty()) json::set(endpoint, {"nodeName"}, text(node));
  json::set(endpoint, {"targetRef"}, pod_reference(pod));
  return endpoint;
}

// What makes two slices one of the same kind.
bool same_kind(const json::Value& left, const json::Value& right) {
  return json::string_at(left, {"addressType"}) == json::string_at(right, {"addressType"}) &&
         json::array_at(left, {"ports"}) == json::array_at(right, {"ports"});
}

}  // namespace

json::Value build_endpoints(const EndpointsFacts& facts) {
  struct Subset {
    json::Array ready;
    json::Array unready;
    json::Array ports;
  };
  std::map<std::string, Subset> subsets;
  const json::Value& service = facts.service.value();
  const auto family = families_of(service).front();
  for (const auto& pod : facts.pods) {
    const auto address = address_of(pod->value(), family);
    const bool publish = publishes_unready(service);
    if (address.empty() || is_pod_finished(*pod) || (pod->is_terminating() && !publish)) continue;
    auto ports = ports_of(service, pod->value(), false);
    if (ports.empty() && !json::array_at(service, {"spec", "ports"}).empty()) continue;
    auto& subset = subsets[json::serialize(ports)];
    subset.ports = std::move(ports);
    json::Value entry = json::Object{{"ip", address}};
    const auto node = json::string_at(pod->value(), {"spec", "nodeName"});
    if (!node.empty()) json::set(entry, {"nodeName"}, text(node));
    json::set(entry, {"targetRef"}, pod_reference(*pod));
    const bool ready = publish || is_pod_ready(*pod);
    (ready ? subset.ready : subset.unready).push_back(std::move(entry));
  }
  json::Array list;
  for (auto& [key, subset] : subsets) {
    json::Object each;
    if (!subset.ready.empty()) each["addresses"] = std::move(subset.ready);
    if (!subset.unready.empty()) each["notReadyAddresses"] = std::move(subset.unready);
    if (!subset.ports.empty()) each["ports"] = std::move(subset.ports);
    list.push_back(std::move(each));
  }
  json::Value object = base_object(facts, "v1", "Endpoints");
  json::set(object, {"metadata", "name"}, text(facts.service.name()));
  json::set(object, {"metadata", "labels", "endpoints.kubernetes.io/managed-by"},
            "endpoint-controller");
  if (!list.empty()) json::set(object, {"subsets"}, std::move(list));
  return object;
}

std::vector<json::Value> build_slices(const EndpointsFacts& facts) {
  struct Group {
    std::string_view family;
    json::Array ports;
    json::Array endpoints;
  };
  std::map<std::string, Group> groups;
  const json::Value& service = facts.service.value();
  for (const auto family : families_of(service)) {
    for (const auto& pod : facts.pods) {
      auto address = address_of(pod->value(), family);
      if (address.empty() || is_pod_finished(*pod)) continue;
      auto ports = ports_of(service, pod->value(), true);
      auto& group = groups[std::string(family) + json::serialize(ports)];
      group.family = family;
      group.ports = std::move(ports);
      group.endpoints.push_back(endpoint_of(*pod, std::move(address), publishes_unready(service)));
    }
  }
  // A Service without pods has one empty slice, so that clients see that it is known.
  if (groups.empty()) groups[""].family = families_of(service).front();
  json::Value base = base_object(facts, "discovery.k8s.io/v1", "EndpointSlice");
  json::set(base, {"metadata", "generateName"}, text(std::string(facts.service.name()) + "-"));
  json::set(base, {"metadata", "labels", "kubernetes.io/service-name"}, text(facts.service.name()));
  json::set(base, {"metadata", "labels", "endpointslice.kubernetes.io/managed-by"},
            "endpointslice-controller.k8s.io");
  json::set(base, {"metadata", "ownerReferences"},
            json::Array{controller_reference(facts.service, "v1", "Service")});
  std::vector<json::Value> slices;
  for (auto& [key, group] : groups) {
    std::size_t done = 0;
    do {
      const auto end = std::min(group.endpoints.size(), done + endpoints_per_slice_max);
      json::Array part;
      for (; done < end; ++done) part.push_back(group.endpoints[done]);
      json::Value slice = base;
      json::set(slice, {"addressType"}, text(group.family));
      json::set(slice, {"endpoints"}, std::move(part));
      json::set(slice, {"ports"}, group.ports);
      slices.push_back(std::move(slice));
    } while (done < group.endpoints.size());
  }
  return slices;
}

SlicesPlan plan_slices(const std::vector<json::Value>& wanted,
                       const std::vector<api::ObjectPtr>& existing) {
  SlicesPlan plan;
  std::vector<api::ObjectPtr> free = existing;
  std::erase_if(free, [](const auto& slice) { return slice->is_terminating(); });
  for (const auto& slice : wanted) {
    // An address family never changes on a slice; ports may.
    auto at = std::find_if(free.begin(), free.end(),
                           [&slice](const auto& each) { return same_kind(each->value(), slice); });
    if (at == free.end()) {
      at = std::find_if(free.begin(), free.end(), [&slice](const auto& each) {
        return json::string_at(each->value(), {"addressType"}) ==
               json::string_at(slice, {"addressType"});
      });
    }
    if (at == free.end()) {
      plan.create.push_back(slice);
      continue;
    }
    json::Value fresh = (*at)->value();
    json::set(fresh, {"endpoints"}, *json::find(slice, {"endpoints"}));
    json::set(fresh, {"ports"}, *json::find(slice, {"ports"}));
    json::set(fresh, {"metadata", "labels"}, *json::find(slice, {"metadata", "labels"}));
    if (fresh != (*at)->value()) plan.update.push_back(std::move(fresh));
    free.erase(at);
  }
  plan.remove = std::move(free);
  return plan;
}

}  // namespace koi::controllers
