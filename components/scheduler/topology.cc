#include "scheduler/topology.h"

#include <algorithm>
#include <optional>

namespace koi::scheduler {

namespace {

std::optional<std::string> domain_of(const NodeState& node, const std::string& key) {
  const json::Value* value = node.label(key);
  if (value == nullptr) return std::nullopt;
  return std::string(json::string_at(*value, {}));
}

bool matches_all(const std::vector<PodTerm>& terms, const json::Value& pod) {
  return std::all_of(terms.begin(), terms.end(),
                     [&pod](const PodTerm& term) { return term.matches(pod); });
}

}  // namespace

TopologyView::TopologyView(const PodFacts& pod, const ClusterState& state) : pod_(pod) {
  const bool looks_at_pods =
      !pod.pod_affinity.empty() || !pod.pod_anti_affinity.empty() || state.anti_affinity_pods() > 0;
  if (looks_at_pods) {
    for (const auto& node : state.nodes()) {
      if (!node.is_present()) continue;
      for (const auto& other : node.pods) scan_pod(node, *other);
    }
  }
  is_first_of_its_kind_ = wanted_.empty() && matches_all(pod.pod_affinity, pod.object->value());
  count_spread(state);
}

void TopologyView::scan_pod(const NodeState& node, const PodFacts& other) {
  for (const auto& term : other.pod_anti_affinity) {
    const auto domain = domain_of(node, term.topology_key);
    if (domain && term.matches(pod_.object->value())) {
      forbidden_by_others_.emplace(term.topology_key, *domain);
    }
  }
  for (const auto& term : pod_.pod_anti_affinity) {
    const auto domain = domain_of(node, term.topology_key);
    if (domain && term.matches(other.object->value())) {
      forbidden_by_pod_.emplace(term.topology_key, *domain);
    }
  }
  if (pod_.pod_affinity.empty() || !matches_all(pod_.pod_affinity, other.object->value())) return;
  for (const auto& term : pod_.pod_affinity) {
    if (const auto domain = domain_of(node, term.topology_key)) {
      wanted_.emplace(term.topology_key, *domain);
    }
  }
}

bool TopologyView::is_eligible(const SpreadConstraint& constraint, const NodeState& node) const {
  for (const auto& each : pod_.spread) {
    if (node.label(each.topology_key) == nullptr) return false;
  }
  if (constraint.honor_affinity && !matches_node_affinity(pod_, node)) return false;
  if (!constraint.honor_taints) return true;
  return std::all_of(node.taints.begin(), node.taints.end(), [this](const client::Taint& taint) {
    return taint.effect == "PreferNoSchedule" || taint.is_tolerated_by(pod_.tolerations);
  });
}

void TopologyView::count_spread(const ClusterState& state) {
  for (const auto& constraint : pod_.spread) {
    Spread spread{.constraint = &constraint, .counts = {}};
    for (const auto& node : state.nodes()) {
      if (!node.is_present() || !is_eligible(constraint, node)) continue;
      auto& count = spread.counts[*domain_of(node, constraint.topology_key)];
      for (const auto& other : node.pods) {
        const bool counts = other->name_space == pod_.name_space &&
                            !other->object->is_terminating() &&
                            constraint.selector.matches_object(other->object->value());
        if (counts) ++count;
      }
    }
    const auto least = std::min_element(
        spread.counts.begin(), spread.counts.end(),
        [](const auto& left, const auto& right) { return left.second < right.second; });
    const bool enough = static_cast<std::int64_t>(spread.counts.size()) >= constraint.min_domains;
    spread.least = enough && least != spread.counts.end() ? least->second : 0;
    spread.self = constraint.selector.matches_object(pod_.object->value()) ? 1 : 0;
    spreads_.push_back(std::move(spread));
  }
}

ReasonSet TopologyView::check_spread(const NodeState& node) const {
  for (const auto& spread : spreads_) {
    const auto domain = domain_of(node, spread.constraint->topology_key);
    if (!domain) return bit(Reason::spread_label);
    const auto at = spread.counts.find(*domain);
    const std::int64_t there = at != spread.counts.end() ? at->second : 0;
    if (there + spread.self - spread.least > spread.constraint->max_skew) {
      return bit(Reason::spread);
    }
  }
  return 0;
}

bool TopologyView::satisfies_affinity(const NodeState& node) const {
  return std::all_of(
      pod_.pod_affinity.begin(), pod_.pod_affinity.end(), [this, &node](const PodTerm& term) {
        const auto domain = domain_of(node, term.topology_key);
        if (!domain) return false;
        return is_first_of_its_kind_ || wanted_.contains({term.topology_key, *domain});
      });
}

ReasonSet TopologyView::filter(const NodeState& node) const {
  if (const auto reasons = check_spread(node); reasons != 0) return reasons;
  if (!satisfies_affinity(node)) return bit(Reason::pod_affinity);
  const auto lies_in = [&node](const Domain& domain) {
    return domain_of(node, domain.first) == domain.second;
  };
  if (std::any_of(forbidden_by_pod_.begin(), forbidden_by_pod_.end(), lies_in)) {
    return bit(Reason::pod_anti_affinity);
  }
  if (std::any_of(forbidden_by_others_.begin(), forbidden_by_others_.end(), lies_in)) {
    return bit(Reason::existing_anti_affinity);
  }
  return 0;
}

}  // namespace koi::scheduler
