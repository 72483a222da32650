#pragma once

#include <cstddef>
#include <string>

#include "base/random.h"
#include "scheduler/cluster_state.h"
#include "scheduler/filters.h"

namespace koi::scheduler {

// Where a pod goes, or why nowhere.
struct Placement {
  std::string node{};  // empty: no node can take it
  Rejections rejections{};
};

// How many nodes that can take a pod are looked for before the best of them is chosen: all of a
// small cluster, a shrinking share of a large one.
std::size_t candidates_wanted(std::size_t nodes);

// Decides. `start` is where the search begins and is moved on, so that over time every node gets
// its turn. Equal scores are drawn.
Placement place(const PodFacts& pod, const ClusterState& state, std::size_t& start,
                base::Random& random);

}  // namespace koi::scheduler
