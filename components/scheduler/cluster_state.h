#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scheduler/pod_facts.h"

namespace koi::scheduler {

// A node with what is left of it. Read by filters and scores in a tight loop.
struct NodeState {
  std::string name{};
  api::ObjectPtr object{};  // null while only its pods are known
  Resources allocatable{};
  Resources requested{};
  ScoringRequest scoring_requested{};
  std::int64_t pods_max = 0;
  bool unschedulable = false;
  std::vector<client::Taint> taints{};
  std::vector<PodFactsPtr> pods{};

  bool is_present() const { return object != nullptr; }
  const json::Object& labels() const;
  // The value of a label; null where the node has none of that key.
  const json::Value* label(std::string_view key) const { return labels().if_contains(key); }
};

// All nodes and the pods that occupy them, including those decided on but not yet bound. Changed
// one object at a time, never rebuilt. Not for concurrent use.
class ClusterState {
 public:
  // Returns whether the change can make room for a pod that did not fit before.
  bool set_node(const api::ObjectPtr& node);
  void remove_node(std::string_view name);

  // Puts the pod on the node, moving or refreshing it where it is already known.
  void set_pod(const PodFactsPtr& pod, std::string_view node);
  // Returns whether the pod was known.
  bool remove_pod(std::string_view uid);
  // The node that the pod occupies; empty where it occupies none.
  std::string_view node_of(std::string_view uid) const;

  // Every slot; those not present are to be skipped.
  const std::vector<NodeState>& nodes() const { return nodes_; }
  std::size_t present() const { return present_; }
  const NodeState* find(std::string_view name) const;
  // Pods with required anti-affinity anywhere in the cluster.
  std::size_t anti_affinity_pods() const { return anti_affinity_pods_; }

 private:
  NodeState& slot(std::string_view name);
  void drop_if_empty(const std::string& name);

  std::vector<NodeState> nodes_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, std::string> pod_nodes_;  // uid to node name
  std::size_t present_ = 0;
  std::size_t anti_affinity_pods_ = 0;
};

}  // namespace koi::scheduler
