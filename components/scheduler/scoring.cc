#include "scheduler/scoring.h"

#include <algorithm>
#include <cmath>

namespace koi::scheduler {

namespace {

constexpr std::int64_t score_max = 100;
constexpr std::int64_t resources_weight = 1;
constexpr std::int64_t balance_weight = 1;
constexpr std::int64_t affinity_weight = 2;
constexpr std::int64_t spread_weight = 2;
constexpr std::int64_t taint_weight = 3;

std::int64_t free_share(std::int64_t requested, std::int64_t capacity) {
  if (capacity <= 0 || requested > capacity) return 0;
  return (capacity - requested) * score_max / capacity;
}

double used_share(std::int64_t requested, std::int64_t capacity) {
  if (capacity <= 0) return 1;
  return std::min(1.0, static_cast<double>(requested) / static_cast<double>(capacity));
}

std::int64_t resources_score(const PodFacts& pod, const NodeState& node) {
  const auto cpu = node.scoring_requested.milli_cpu + pod.scoring.milli_cpu;
  const auto memory = node.scoring_requested.memory_bytes + pod.scoring.memory_bytes;
  const auto least = (free_share(cpu, node.allocatable.milli_cpu) +
                      free_share(memory, node.allocatable.memory_bytes)) /
                     2;
  const double gap = std::abs(used_share(cpu, node.allocatable.milli_cpu) -
                              used_share(memory, node.allocatable.memory_bytes));
  const auto balance = static_cast<std::int64_t>((1 - gap / 2) * static_cast<double>(score_max));
  return least * resources_weight + balance * balance_weight;
}

std::int64_t preferred_weight(const PodFacts& pod, const NodeState& node) {
  std::int64_t sum = 0;
  for (const auto& term : pod.preferred_terms) {
    // Unlike a required term, an empty preferred one matches every node.
    const bool matches =
        term.requirements.empty() || client::matches_term(term, node.name, node.labels());
    if (matches) sum += term.weight;
  }
  return sum;
}

std::int64_t soft_taints(const PodFacts& pod, const NodeState& node) {
  return std::count_if(node.taints.begin(), node.taints.end(), [&pod](const client::Taint& taint) {
    return taint.effect == "PreferNoSchedule" && !taint.is_tolerated_by(pod.tolerations);
  });
}

std::int64_t siblings(const PodFacts& pod, const NodeState& node) {
  return std::count_if(node.pods.begin(), node.pods.end(), [&pod](const PodFactsPtr& other) {
    return other->owner_uid == pod.owner_uid;
  });
}

// Adds each raw value as its share of the largest one; `inverted` ones count against the node.
void add_normalized(std::vector<std::int64_t>& scores, const std::vector<std::int64_t>& raw,
                    std::int64_t weight, bool inverted) {
  const auto most = *std::max_element(raw.begin(), raw.end());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto share = most > 0 ? raw[i] * score_max / most : 0;
    scores[i] += weight * (inverted ? score_max - share : share);
  }
}

template <class Measure>
std::vector<std::int64_t> measure_all(const PodFacts& pod,
                                      const std::vector<const NodeState*>& candidates,
                                      Measure measure) {
  std::vector<std::int64_t> raw;
  raw.reserve(candidates.size());
  for (const auto* node : candidates) raw.push_back(measure(pod, *node));
  return raw;
}

}  // namespace

std::vector<std::int64_t> score(const PodFacts& pod,
                                const std::vector<const NodeState*>& candidates) {
  auto scores = measure_all(pod, candidates, resources_score);
  if (candidates.size() < 2) return scores;
  add_normalized(scores, measure_all(pod, candidates, soft_taints), taint_weight, true);
  if (!pod.preferred_terms.empty()) {
    add_normalized(scores, measure_all(pod, candidates, preferred_weight), affinity_weight, false);
  }
  if (!pod.owner_uid.empty()) {
    add_normalized(scores, measure_all(pod, candidates, siblings), spread_weight, true);
  }
  return scores;
}

}  // namespace koi::scheduler
