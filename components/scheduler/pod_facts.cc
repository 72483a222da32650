#include "scheduler/pod_facts.h"

#include <algorithm>

#include "client/object_key.h"

namespace koi::scheduler {

namespace {

void refuse(PodFacts& facts, std::string why) {
  if (facts.refusal.empty()) facts.refusal = std::move(why);
}

void read_pod_terms(const json::Value& pod, std::string_view kind, std::vector<PodTerm>& terms,
                    PodFacts& facts) {
  const auto& all = json::array_at(
      pod, {"spec", "affinity", kind, "requiredDuringSchedulingIgnoredDuringExecution"});
  for (const auto& each : all) {
    for (const std::string_view field :
         {"namespaceSelector", "matchLabelKeys", "mismatchLabelKeys"}) {
      if (json::find(each, {field}) != nullptr) {
        refuse(facts, "koi does not support '" + std::string(field) + "' in spec.affinity." +
                          std::string(kind) + " yet");
      }
    }
    const auto selector = api::LabelSelector::from_object(json::find(each, {"labelSelector"}));
    if (!selector) {
      refuse(facts, selector.error().message);
      continue;
    }
    PodTerm term{.selector = *selector,
                 .topology_key = std::string(json::string_at(each, {"topologyKey"}))};
    for (const auto& name : json::array_at(each, {"namespaces"})) {
      term.namespaces.emplace_back(json::string_at(name, {}));
    }
    if (term.namespaces.empty()) term.namespaces.push_back(facts.name_space);
    terms.push_back(std::move(term));
  }
}

void read_spread(const json::Value& pod, PodFacts& facts) {
  for (const auto& each : json::array_at(pod, {"spec", "topologySpreadConstraints"})) {
    if (json::string_at(each, {"whenUnsatisfiable"}) != "DoNotSchedule") continue;
    if (!json::array_at(each, {"matchLabelKeys"}).empty()) {
      refuse(facts, "koi does not support 'matchLabelKeys' in spec.topologySpreadConstraints yet");
    }
    const auto selector = api::LabelSelector::from_object(json::find(each, {"labelSelector"}));
    if (!selector) {
      refuse(facts, selector.error().message);
      continue;
    }
    facts.spread.push_back(
        {.topology_key = std::string(json::string_at(each, {"topologyKey"})),
         .max_skew = json::int_at(each, {"maxSkew"}, 1),
         .min_domains = json::int_at(each, {"minDomains"}, 1),
         .selector = *selector,
         .honor_affinity = json::string_at(each, {"nodeAffinityPolicy"}) != "Ignore",
         .honor_taints = json::string_at(each, {"nodeTaintsPolicy"}) == "Honor"});
  }
}

void read_ports(const json::Value& pod, std::string_view list, PodFacts& facts) {
  for (const auto& container : json::array_at(pod, {"spec", list})) {
    for (const auto& port : json::array_at(container, {"ports"})) {
      const auto number = json::int_at(port, {"hostPort"}, 0);
      if (number <= 0) continue;
      const auto ip = json::string_at(port, {"hostIP"});
      const auto protocol = json::string_at(port, {"protocol"});
      facts.host_ports.push_back({.ip = std::string(ip.empty() ? "0.0.0.0" : ip),
                                  .protocol = std::string(protocol.empty() ? "TCP" : protocol),
                                  .port = number});
    }
  }
}

void read_refusals(const json::Value& pod, PodFacts& facts) {
  for (const auto& volume : json::array_at(pod, {"spec", "volumes"})) {
    for (const std::string_view field : {"persistentVolumeClaim", "ephemeral"}) {
      if (json::find(volume, {field}) == nullptr) continue;
      refuse(facts, "volume \"" + std::string(json::string_at(volume, {"name"})) +
                        "\": koi does not support '" + std::string(field) + "' volumes yet");
    }
  }
  if (!json::array_at(pod, {"spec", "resourceClaims"}).empty()) {
    refuse(facts, "koi does not support spec.resourceClaims yet");
  }
}

}  // namespace

bool HostPort::conflicts_with(const HostPort& other) const {
  if (port != other.port || protocol != other.protocol) return false;
  return ip == other.ip || ip == "0.0.0.0" || other.ip == "0.0.0.0";
}

bool PodTerm::matches(const json::Value& pod) const {
  const auto name_space = json::string_at(pod, {"metadata", "namespace"});
  const bool here = namespaces.empty() ||
                    std::find(namespaces.begin(), namespaces.end(), name_space) != namespaces.end();
  return here && selector.matches_object(pod);
}

PodFactsPtr read_pod(const api::ObjectPtr& pod) {
  const json::Value& value = pod->value();
  auto facts = std::make_shared<PodFacts>();
  facts->object = pod;
  facts->key = client::key_of(*pod);
  facts->uid = pod->uid();
  facts->name_space = pod->name_space();
  facts->name = pod->name();
  facts->owner_uid = client::controller_uid(*pod);
  facts->priority = json::int_at(value, {"spec", "priority"}, 0);
  facts->requests = pod_requests(value);
  facts->scoring = scoring_request(value);
  static const json::Value none = json::Object();
  const json::Value* spec = json::find(value, {"spec"});
  facts->wishes = client::read_node_wishes(spec != nullptr ? *spec : none);
  facts->preferred_terms = client::read_preferred_terms(spec != nullptr ? *spec : none);
  facts->tolerations = client::read_tolerations(spec != nullptr ? *spec : none);
  read_ports(value, "containers", *facts);
  read_ports(value, "initContainers", *facts);
  read_pod_terms(value, "podAffinity", facts->pod_affinity, *facts);
  read_pod_terms(value, "podAntiAffinity", facts->pod_anti_affinity, *facts);
  read_spread(value, *facts);
  read_refusals(value, *facts);
  return facts;
}

}  // namespace koi::scheduler
