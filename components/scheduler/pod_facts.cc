#include "scheduler/pod_facts.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "client/object_key.h"

namespace koi::scheduler {

namespace {

using Operator = NodeRequirement::Operator;

std::optional<Operator> parse_operator(std::string_view name) {
  if (name == "In") return Operator::in;
  if (name == "NotIn") return Operator::not_in;
  if (name == "Exists") return Operator::exists;
  if (name == "DoesNotExist") return Operator::does_not_exist;
  if (name == "Gt") return Operator::greater_than;
  if (name == "Lt") return Operator::less_than;
  return std::nullopt;
}

void read_requirements(const json::Value& term, std::string_view list, bool on_name,
                       std::vector<NodeRequirement>& requirements) {
  for (const auto& each : json::array_at(term, {list})) {
    const auto op = parse_operator(json::string_at(each, {"operator"}));
    NodeRequirement requirement{.key = std::string(json::string_at(each, {"key"})),
                                .op = op.value_or(Operator::in),
                                .on_name = on_name};
    for (const auto& value : json::array_at(each, {"values"})) {
      requirement.values.emplace_back(json::string_at(value, {}));
    }
    requirements.push_back(std::move(requirement));
  }
}

NodeTerm read_node_term(const json::Value& term) {
  NodeTerm parsed;
  read_requirements(term, "matchExpressions", false, parsed.requirements);
  read_requirements(term, "matchFields", true, parsed.requirements);
  return parsed;
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

bool compares(const NodeRequirement& requirement, std::string_view actual) {
  if (requirement.values.size() != 1) return false;
  const auto left = parse_number(actual);
  const auto right = parse_number(requirement.values.front());
  if (!left || !right) return false;
  return requirement.op == Operator::greater_than ? *left > *right : *left < *right;
}

bool holds(const NodeRequirement& requirement, std::optional<std::string_view> actual) {
  const auto listed = [&requirement, &actual] {
    return actual && std::find(requirement.values.begin(), requirement.values.end(), *actual) !=
                         requirement.values.end();
  };
  switch (requirement.op) {
    case Operator::in:
      return listed();
    case Operator::not_in:
      return !listed();
    case Operator::exists:
      return actual.has_value();
    case Operator::does_not_exist:
      return !actual.has_value();
    case Operator::greater_than:
    case Operator::less_than:
      return actual.has_value() && compares(requirement, *actual);
  }
  return false;
}

void read_node_affinity(const json::Value& pod, PodFacts& facts) {
  for (const auto& [key, value] : json::object_at(pod, {"spec", "nodeSelector"})) {
    facts.node_selector.emplace_back(key, json::string_at(value, {}));
  }
  const json::Value* affinity = json::find(pod, {"spec", "affinity", "nodeAffinity"});
  if (affinity == nullptr) return;
  const json::Value* required =
      json::find(*affinity, {"requiredDuringSchedulingIgnoredDuringExecution"});
  if (required != nullptr && required->is_object()) {
    facts.has_required_terms = true;
    for (const auto& term : json::array_at(*required, {"nodeSelectorTerms"})) {
      facts.required_terms.push_back(read_node_term(term));
    }
  }
  for (const auto& each :
       json::array_at(*affinity, {"preferredDuringSchedulingIgnoredDuringExecution"})) {
    const json::Value* preference = json::find(each, {"preference"});
    if (preference == nullptr) continue;
    auto term = read_node_term(*preference);
    term.weight = json::int_at(each, {"weight"}, 0);
    facts.preferred_terms.push_back(std::move(term));
  }
}

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

void read_tolerations(const json::Value& pod, PodFacts& facts) {
  for (const auto& each : json::array_at(pod, {"spec", "tolerations"})) {
    facts.tolerations.push_back({.key = std::string(json::string_at(each, {"key"})),
                                 .value = std::string(json::string_at(each, {"value"})),
                                 .effect = std::string(json::string_at(each, {"effect"})),
                                 .exists = json::string_at(each, {"operator"}) == "Exists"});
  }
}

}  // namespace

bool Taint::is_tolerated_by(const std::vector<Toleration>& tolerations) const {
  return std::any_of(tolerations.begin(), tolerations.end(), [this](const Toleration& each) {
    if (!each.effect.empty() && each.effect != effect) return false;
    if (!each.key.empty() && each.key != key) return false;
    if (each.key.empty() && !each.exists) return false;
    return each.exists || each.value == value;
  });
}

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
  read_node_affinity(value, *facts);
  read_tolerations(value, *facts);
  read_ports(value, "containers", *facts);
  read_ports(value, "initContainers", *facts);
  read_pod_terms(value, "podAffinity", facts->pod_affinity, *facts);
  read_pod_terms(value, "podAntiAffinity", facts->pod_anti_affinity, *facts);
  read_spread(value, *facts);
  read_refusals(value, *facts);
  return facts;
}

std::vector<Taint> read_taints(const json::Value& node) {
  std::vector<Taint> taints;
  for (const auto& each : json::array_at(node, {"spec", "taints"})) {
    taints.push_back({.key = std::string(json::string_at(each, {"key"})),
                      .value = std::string(json::string_at(each, {"value"})),
                      .effect = std::string(json::string_at(each, {"effect"}))});
  }
  return taints;
}

bool matches_term(const NodeTerm& term, std::string_view node_name, const json::Object& labels) {
  if (term.requirements.empty()) return false;
  return std::all_of(term.requirements.begin(), term.requirements.end(),
                     [&](const NodeRequirement& requirement) {
                       if (requirement.on_name) return holds(requirement, node_name);
                       const json::Value* value = labels.if_contains(requirement.key);
                       if (value == nullptr) return holds(requirement, std::nullopt);
                       return holds(requirement, json::string_at(*value, {}));
                     });
}

}  // namespace koi::scheduler
