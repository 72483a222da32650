#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "scheduler/cluster_state.h"

namespace koi::scheduler {

// Why a node cannot take a pod.
enum class Reason : std::uint8_t {
  unschedulable,
  untolerated_taint,
  node_affinity,
  host_ports,
  too_many_pods,
  cpu,
  memory,
  ephemeral_storage,
  extended_resource,
  spread_label,
  spread,
  pod_affinity,
  pod_anti_affinity,
  existing_anti_affinity,
  count_,
};
inline constexpr std::size_t reason_count = static_cast<std::size_t>(Reason::count_);

// A set of reasons; empty: the node can take the pod.
using ReasonSet = std::uint32_t;
constexpr ReasonSet bit(Reason reason) { return ReasonSet{1} << static_cast<unsigned>(reason); }

// Reasons that go away when a pod leaves a node; all others need the node itself to change.
inline constexpr ReasonSet reasons_of_pods =
    bit(Reason::host_ports) | bit(Reason::too_many_pods) | bit(Reason::cpu) | bit(Reason::memory) |
    bit(Reason::ephemeral_storage) | bit(Reason::extended_resource) | bit(Reason::spread) |
    bit(Reason::pod_affinity) | bit(Reason::pod_anti_affinity) |
    bit(Reason::existing_anti_affinity);

// What the node alone says about the pod. Like upstream, stops at the first rule that fails, but
// names every resource that is short.
ReasonSet filter(const PodFacts& pod, const NodeState& node);

// The part of filter() that topology spread counts as "eligible".
bool matches_node_affinity(const PodFacts& pod, const NodeState& node);

// The reasons of many nodes, summed up for people.
class Rejections {
 public:
  void add(const PodFacts& pod, const NodeState& node, ReasonSet reasons);

  ReasonSet reasons() const { return reasons_; }
  // "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s)."
  std::string message() const;

 private:
  std::size_t nodes_ = 0;
  ReasonSet reasons_ = 0;
  std::array<std::size_t, reason_count> counts_{};
  std::map<std::string, std::size_t> extended_;
};

}  // namespace koi::scheduler
