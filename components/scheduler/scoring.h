#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/cluster_state.h"

namespace koi::scheduler {

// How good each of the candidates is for the pod, higher is better, in the order given: room left,
// balance between CPU and memory, soft taints, preferred node affinity, few pods of the same owner.
std::vector<std::int64_t> score(const PodFacts& pod,
                                const std::vector<const NodeState*>& candidates);

}  // namespace koi::scheduler
