#include "scheduler/placement.h"

#include <algorithm>
#include <optional>

#include "scheduler/scoring.h"
#include "scheduler/topology.h"

namespace koi::scheduler {

namespace {

constexpr std::size_t candidates_min = 100;
constexpr std::size_t share_percent_min = 5;

std::string choose(const PodFacts& pod, const std::vector<const NodeState*>& candidates,
                   base::Random& random) {
  const auto scores = score(pod, candidates);
  std::size_t best = 0;
  std::uint64_t equals = 1;
  for (std::size_t i = 1; i < scores.size(); ++i) {
    if (scores[i] > scores[best]) {
      best = i;
      equals = 1;
    } else if (scores[i] == scores[best] && random.below(++equals) == 0) {
      best = i;
    }
  }
  return candidates[best]->name;
}

}  // namespace

std::size_t candidates_wanted(std::size_t nodes) {
  if (nodes <= candidates_min) return nodes;
  const std::size_t percent = nodes / 125 < 45 ? 50 - nodes / 125 : share_percent_min;
  return std::max(candidates_min, nodes * percent / 100);
}

Placement place(const PodFacts& pod, const ClusterState& state, std::size_t& start,
                base::Random& random) {
  Placement placement;
  const auto& nodes = state.nodes();
  if (nodes.empty()) return placement;
  std::optional<TopologyView> topology;
  if (pod.needs_topology() || state.anti_affinity_pods() > 0) topology.emplace(pod, state);
  const auto wanted = candidates_wanted(state.present());
  std::vector<const NodeState*> candidates;
  std::size_t looked_at = 0;
  start %= nodes.size();
  for (; looked_at < nodes.size() && candidates.size() < wanted; ++looked_at) {
    std::size_t position = start + looked_at;
    if (position >= nodes.size()) position -= nodes.size();
    const NodeState& node = nodes[position];
    if (!node.is_present()) continue;
    ReasonSet reasons = filter(pod, node);
    if (reasons == 0 && topology) reasons = topology->filter(node);
    if (reasons == 0) {
      candidates.push_back(&node);
    } else {
      placement.rejections.add(pod, node, reasons);
    }
  }
  start += looked_at;
  if (!candidates.empty()) placement.node = choose(pod, candidates, random);
  return placement;
}

}  // namespace koi::scheduler
