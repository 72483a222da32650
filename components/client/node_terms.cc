#include "client/node_terms.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace koi::client {

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

}  // namespace

bool Taint::is_tolerated_by(const std::vector<Toleration>& tolerations) const {
  return std::any_of(tolerations.begin(), tolerations.end(), [this](const Toleration& each) {
    if (!each.effect.empty() && each.effect != effect) return false;
    if (!each.key.empty() && each.key != key) return false;
    if (each.key.empty() && !each.exists) return false;
    return each.exists || each.value == value;
  });
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

NodeWishes read_node_wishes(const json::Value& spec) {
  NodeWishes wishes;
  for (const auto& [key, value] : json::object_at(spec, {"nodeSelector"})) {
    wishes.selector.emplace_back(key, json::string_at(value, {}));
  }
  const json::Value* required = json::find(
      spec, {"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"});
  if (required != nullptr && required->is_object()) {
    wishes.has_required_terms = true;
    for (const auto& term : json::array_at(*required, {"nodeSelectorTerms"})) {
      wishes.required_terms.push_back(read_node_term(term));
    }
  }
  return wishes;
}

std::vector<NodeTerm> read_preferred_terms(const json::Value& spec) {
  std::vector<NodeTerm> terms;
  for (const auto& each : json::array_at(
           spec, {"affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"})) {
    const json::Value* preference = json::find(each, {"preference"});
    if (preference == nullptr) continue;
    auto term = read_node_term(*preference);
    term.weight = json::int_at(each, {"weight"}, 0);
    terms.push_back(std::move(term));
  }
  return terms;
}

std::vector<Toleration> read_tolerations(const json::Value& spec) {
  std::vector<Toleration> tolerations;
  for (const auto& each : json::array_at(spec, {"tolerations"})) {
    tolerations.push_back({.key = std::string(json::string_at(each, {"key"})),
                           .value = std::string(json::string_at(each, {"value"})),
                           .effect = std::string(json::string_at(each, {"effect"})),
                           .exists = json::string_at(each, {"operator"}) == "Exists"});
  }
  return tolerations;
}

bool NodeWishes::accepts(std::string_view node_name, const json::Object& labels) const {
  for (const auto& [key, value] : selector) {
    const json::Value* label = labels.if_contains(key);
    if (label == nullptr || json::string_at(*label, {}) != value) return false;
  }
  if (!has_required_terms) return true;
  return std::any_of(required_terms.begin(), required_terms.end(),
                     [&](const NodeTerm& term) { return matches_term(term, node_name, labels); });
}

}  // namespace koi::client
