#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/filters.h"

namespace koi::scheduler {

// What the pods of the whole cluster say about placing one pod: required pod affinity and
// anti-affinity (its own and that of the pods there are) and hard topology spread. Made once per
// pod that needs it, at a cost linear in nodes and pods. Refers to the pod and the state given.
class TopologyView {
 public:
  TopologyView(const PodFacts& pod, const ClusterState& state);

  ReasonSet filter(const NodeState& node) const;

 private:
  using Domain = std::pair<std::string, std::string>;  // label key and value
  struct Spread {
    const SpreadConstraint* constraint = nullptr;
    std::map<std::string, std::int64_t> counts;
    std::int64_t least = 0;
    std::int64_t self = 0;
  };

  void scan_pod(const NodeState& node, const PodFacts& other);
  void count_spread(const ClusterState& state);
  bool is_eligible(const SpreadConstraint& constraint, const NodeState& node) const;
  ReasonSet check_spread(const NodeState& node) const;
  bool satisfies_affinity(const NodeState& node) const;

  const PodFacts& pod_;
  std::set<Domain> forbidden_by_others_;
  std::set<Domain> forbidden_by_pod_;
  std::set<Domain> wanted_;
  bool is_first_of_its_kind_ = false;
  std::vector<Spread> spreads_;
};

}  // namespace koi::scheduler
