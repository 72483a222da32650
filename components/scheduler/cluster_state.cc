#include "scheduler/cluster_state.h"

#include <algorithm>

#include "api/quantity.h"

namespace koi::scheduler {

namespace {

bool same_below(const json::Value& left, const json::Value& right, json::Path path) {
  const json::Value* a = json::find(left, path);
  const json::Value* b = json::find(right, path);
  if (a == nullptr || b == nullptr) return a == b;
  return *a == *b;
}

bool same_for_scheduling(const json::Value& left, const json::Value& right) {
  return same_below(left, right, {"spec"}) && same_below(left, right, {"metadata", "labels"}) &&
         same_below(left, right, {"status", "allocatable"});
}

void occupy(NodeState& node, const PodFacts& pod) {
  node.requested.add(pod.requests);
  node.scoring_requested.milli_cpu += pod.scoring.milli_cpu;
  node.scoring_requested.memory_bytes += pod.scoring.memory_bytes;
}

void release(NodeState& node, const PodFacts& pod) {
  node.requested.subtract(pod.requests);
  node.scoring_requested.milli_cpu -= pod.scoring.milli_cpu;
  node.scoring_requested.memory_bytes -= pod.scoring.memory_bytes;
}

}  // namespace

const json::Object& NodeState::labels() const {
  return json::object_at(object->value(), {"metadata", "labels"});
}

NodeState& ClusterState::slot(std::string_view name) {
  const auto [at, fresh] = index_.try_emplace(std::string(name), nodes_.size());
  if (fresh) {
    nodes_.emplace_back();
    nodes_.back().name = name;
  }
  return nodes_[at->second];
}

void ClusterState::drop_if_empty(const std::string& name) {
  const auto at = index_.find(name);
  if (at == index_.end()) return;
  const auto position = at->second;
  const NodeState& node = nodes_[position];
  if (node.is_present() || !node.pods.empty()) return;
  index_.erase(at);
  if (position + 1 != nodes_.size()) {
    nodes_[position] = std::move(nodes_.back());
    index_[nodes_[position].name] = position;
  }
  nodes_.pop_back();
}

bool ClusterState::set_node(const api::ObjectPtr& object) {
  NodeState& node = slot(object->name());
  const json::Value& value = object->value();
  // Heartbeats change the status every few minutes and matter to nobody here.
  if (node.is_present() && same_for_scheduling(node.object->value(), value)) {
    node.object = object;
    return false;
  }
  if (!node.is_present()) ++present_;
  node.object = object;
  const auto& allocatable = json::object_at(value, {"status", "allocatable"});
  node.allocatable = Resources::parse(allocatable);
  node.pods_max = 0;
  if (const auto* pods = allocatable.if_contains("pods")) {
    const auto parsed = api::Quantity::parse(json::string_at(*pods, {}));
    node.pods_max = parsed ? parsed->value() : json::int_at(*pods, {}, 0);
  }
  node.unschedulable = json::bool_at(value, {"spec", "unschedulable"});
  node.taints = client::read_taints(value);
  return true;
}

void ClusterState::remove_node(std::string_view name) {
  const auto at = index_.find(std::string(name));
  if (at == index_.end() || !nodes_[at->second].is_present()) return;
  nodes_[at->second].object = nullptr;
  --present_;
  drop_if_empty(std::string(name));
}

void ClusterState::set_pod(const PodFactsPtr& pod, std::string_view node_name) {
  const auto known = pod_nodes_.find(pod->uid);
  if (known != pod_nodes_.end() && known->second == node_name) {
    NodeState& node = slot(node_name);
    const auto at = std::find_if(node.pods.begin(), node.pods.end(),
                                 [&pod](const auto& each) { return each->uid == pod->uid; });
    release(node, **at);
    occupy(node, *pod);
    *at = pod;
    return;
  }
  if (known != pod_nodes_.end()) remove_pod(pod->uid);
  NodeState& node = slot(node_name);
  occupy(node, *pod);
  node.pods.push_back(pod);
  pod_nodes_.emplace(pod->uid, node_name);
  if (!pod->pod_anti_affinity.empty()) ++anti_affinity_pods_;
}

bool ClusterState::remove_pod(std::string_view uid) {
  const auto known = pod_nodes_.find(std::string(uid));
  if (known == pod_nodes_.end()) return false;
  const std::string name = known->second;
  pod_nodes_.erase(known);
  NodeState& node = slot(name);
  const auto at = std::find_if(node.pods.begin(), node.pods.end(),
                               [uid](const auto& each) { return each->uid == uid; });
  release(node, **at);
  if (!(*at)->pod_anti_affinity.empty()) --anti_affinity_pods_;
  *at = std::move(node.pods.back());
  node.pods.pop_back();
  drop_if_empty(name);
  return true;
}

std::string_view ClusterState::node_of(std::string_view uid) const {
  const auto known = pod_nodes_.find(std::string(uid));
  return known != pod_nodes_.end() ? std::string_view(known->second) : std::string_view();
}

const NodeState* ClusterState::find(std::string_view name) const {
  const auto at = index_.find(std::string(name));
  if (at == index_.end() || !nodes_[at->second].is_present()) return nullptr;
  return &nodes_[at->second];
}

}  // namespace koi::scheduler
