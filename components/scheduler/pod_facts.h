#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/object.h"
#include "api/selectors.h"
#include "scheduler/resources.h"

namespace koi::scheduler {

// One condition of a node selector term, on a label or (matchFields) on the node's name.
struct NodeRequirement {
  enum class Operator { in, not_in, exists, does_not_exist, greater_than, less_than };
  std::string key{};
  Operator op = Operator::in;
  std::vector<std::string> values{};
  bool on_name = false;
};

// All requirements must hold. A term without any matches no node.
struct NodeTerm {
  std::vector<NodeRequirement> requirements{};
  std::int64_t weight = 0;  // of a preferred term
};

struct Toleration {
  std::string key{};  // empty with exists: every taint
  std::string value{};
  std::string effect{};  // empty: every effect
  bool exists = false;
};

struct Taint {
  std::string key{};
  std::string value{};
  std::string effect{};

  bool is_tolerated_by(const std::vector<Toleration>& tolerations) const;
};

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
  std::vector<std::pair<std::string, std::string>> node_selector{};
  bool has_required_terms = false;
  std::vector<NodeTerm> required_terms{};  // one of them must match
  std::vector<NodeTerm> preferred_terms{};
  std::vector<Toleration> tolerations{};
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

std::vector<Taint> read_taints(const json::Value& node);

// Whether the node's name and labels satisfy the term.
bool matches_term(const NodeTerm& term, std::string_view node_name, const json::Object& labels);

}  // namespace koi::scheduler
