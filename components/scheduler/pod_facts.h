#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/object.h"
#include "api/selectors.h"
#include "client/node_terms.h"
#include "scheduler/resources.h"

namespace koi::scheduler {

struct HostPort {
  std::string ip{};  // "0.0.0.0": every address
  std::string protocol{};
  std::int64_t port = 0;

  bool conflicts_with(const HostPort& other) const;
};

// "Pods matching the selector in these namespaces, seen per value of the node label".
struct PodTerm {
  api::LabelSelector selector{};
  std::vector<std::string> namespaces{};  // empty: all
  std::string topology_key{};

  bool matches(const json::Value& pod) const;
};

struct SpreadConstraint {
  std::string topology_key{};
  std::int64_t max_skew = 1;
  std::int64_t min_domains = 1;
  api::LabelSelector selector{};
  bool honor_affinity = true;
  bool honor_taints = false;
};

// What the scheduler has to know about a pod, read once. Immutable and shared.
struct PodFacts {
  api::ObjectPtr object{};
  std::string key{};  // "namespace/name"
  std::string uid{};
  std::string name_space{};
  std::string name{};
  std::string owner_uid{};
  std::int64_t priority = 0;
  Resources requests{};
  ScoringRequest scoring{};
  client::NodeWishes wishes{};
  std::vector<client::NodeTerm> preferred_terms{};
  std::vector<client::Toleration> tolerations{};
  std::vector<HostPort> host_ports{};
  std::vector<PodTerm> pod_affinity{};
  std::vector<PodTerm> pod_anti_affinity{};
  std::vector<SpreadConstraint> spread{};
  // Why koi cannot place this pod at all; empty where it can.
  std::string refusal{};

  bool needs_topology() const {
    return !pod_affinity.empty() || !pod_anti_affinity.empty() || !spread.empty();
  }
};
using PodFactsPtr = std::shared_ptr<const PodFacts>;

PodFactsPtr read_pod(const api::ObjectPtr& pod);

}  // namespace koi::scheduler
