#include "scheduler/filters.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace koi::scheduler {

namespace {

std::string_view reason_text(Reason reason) {
  switch (reason) {
    case Reason::unschedulable:
      return "node(s) were unschedulable";
    case Reason::untolerated_taint:
      return "node(s) had untolerated taint(s)";
    case Reason::node_affinity:
      return "node(s) didn't match Pod's node affinity/selector";
    case Reason::host_ports:
      return "node(s) didn't have free ports for the requested pod ports";
    case Reason::too_many_pods:
      return "Too many pods";
    case Reason::cpu:
      return "Insufficient cpu";
    case Reason::memory:
      return "Insufficient memory";
    case Reason::ephemeral_storage:
      return "Insufficient ephemeral-storage";
    case Reason::extended_resource:
      return "Insufficient extended resource";
    case Reason::spread_label:
      return "node(s) didn't match pod topology spread constraints (missing required label)";
    case Reason::spread:
      return "node(s) didn't match pod topology spread constraints";
    case Reason::pod_affinity:
      return "node(s) didn't match pod affinity rules";
    case Reason::pod_anti_affinity:
      return "node(s) didn't match pod anti-affinity rules";
    case Reason::existing_anti_affinity:
      return "node(s) didn't satisfy existing pods anti-affinity rules";
    case Reason::count_:
      break;
  }
  return "";
}

bool tolerates_unschedulable(const PodFacts& pod) {
  const client::Taint taint{.key = "node.kubernetes.io/unschedulable", .effect = "NoSchedule"};
  return taint.is_tolerated_by(pod.tolerations);
}

bool tolerates_taints(const PodFacts& pod, const NodeState& node) {
  return std::all_of(node.taints.begin(), node.taints.end(), [&pod](const client::Taint& taint) {
    return taint.effect == "PreferNoSchedule" || taint.is_tolerated_by(pod.tolerations);
  });
}

bool has_free_ports(const PodFacts& pod, const NodeState& node) {
  for (const auto& other : node.pods) {
    for (const auto& taken : other->host_ports) {
      for (const auto& wanted : pod.host_ports) {
        if (wanted.conflicts_with(taken)) return false;
      }
    }
  }
  return true;
}

bool is_short(std::int64_t wanted, std::int64_t allocatable, std::int64_t taken) {
  return wanted > 0 && wanted > allocatable - taken;
}

ReasonSet check_resources(const PodFacts& pod, const NodeState& node) {
  ReasonSet reasons = 0;
  const auto& wanted = pod.requests;
  const auto& has = node.allocatable;
  const auto& taken = node.requested;
  if (static_cast<std::int64_t>(node.pods.size()) + 1 > node.pods_max) {
    reasons |= bit(Reason::too_many_pods);
  }
  if (is_short(wanted.milli_cpu, has.milli_cpu, taken.milli_cpu)) reasons |= bit(Reason::cpu);
  if (is_short(wanted.memory_bytes, has.memory_bytes, taken.memory_bytes)) {
    reasons |= bit(Reason::memory);
  }
  if (is_short(wanted.ephemeral_bytes, has.ephemeral_bytes, taken.ephemeral_bytes)) {
    reasons |= bit(Reason::ephemeral_storage);
  }
  for (const auto& [name, amount] : wanted.extended) {
    if (is_short(amount, has.extended_amount(name), taken.extended_amount(name))) {
      reasons |= bit(Reason::extended_resource);
    }
  }
  return reasons;
}

}  // namespace

bool matches_node_affinity(const PodFacts& pod, const NodeState& node) {
  return pod.wishes.accepts(node.name, node.labels());
}

ReasonSet filter(const PodFacts& pod, const NodeState& node) {
  if (node.unschedulable && !tolerates_unschedulable(pod)) return bit(Reason::unschedulable);
  if (!node.taints.empty() && !tolerates_taints(pod, node)) {
    return bit(Reason::untolerated_taint);
  }
  if (!pod.wishes.is_everywhere() && !matches_node_affinity(pod, node)) {
    return bit(Reason::node_affinity);
  }
  if (!pod.host_ports.empty() && !has_free_ports(pod, node)) return bit(Reason::host_ports);
  return check_resources(pod, node);
}

void Rejections::add(const PodFacts& pod, const NodeState& node, ReasonSet reasons) {
  ++nodes_;
  reasons_ |= reasons;
  for (std::size_t i = 0; i < reason_count; ++i) {
    if ((reasons & bit(static_cast<Reason>(i))) != 0) ++counts_[i];
  }
  if ((reasons & bit(Reason::extended_resource)) == 0) return;
  for (const auto& [name, amount] : pod.requests.extended) {
    if (is_short(amount, node.allocatable.extended_amount(name),
                 node.requested.extended_amount(name))) {
      ++extended_[name];
    }
  }
}

std::string Rejections::message() const {
  if (nodes_ == 0) return "no nodes available to schedule pods";
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < reason_count; ++i) {
    const auto reason = static_cast<Reason>(i);
    if (counts_[i] == 0 || reason == Reason::extended_resource) continue;
    parts.push_back(std::to_string(counts_[i]) + " " + std::string(reason_text(reason)));
  }
  for (const auto& [name, count] : extended_) {
    parts.push_back(std::to_string(count) + " Insufficient " + name);
  }
  std::sort(parts.begin(), parts.end());
  std::string text = "0/" + std::to_string(nodes_) + " nodes are available: ";
  for (std::size_t i = 0; i < parts.size(); ++i) text.append(i > 0 ? ", " : "").append(parts[i]);
  return text + ".";
}

}  // namespace koi::scheduler
