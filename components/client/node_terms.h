#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

// What pods say about nodes, and nodes about pods: affinity terms, taints and tolerations, read
// once and matched often.
namespace koi::client {

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

// Where a pod may run: nodeSelector and required node affinity.
struct NodeWishes {
  std::vector<std::pair<std::string, std::string>> selector{};
  bool has_required_terms = false;
  std::vector<NodeTerm> required_terms{};  // one of them must match

  bool is_everywhere() const { return selector.empty() && !has_required_terms; }
  bool accepts(std::string_view node_name, const json::Object& labels) const;
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

// From a pod's spec, or a pod template's.
NodeWishes read_node_wishes(const json::Value& spec);
std::vector<NodeTerm> read_preferred_terms(const json::Value& spec);
std::vector<Toleration> read_tolerations(const json::Value& spec);
// From a node.
std::vector<Taint> read_taints(const json::Value& node);

// Whether the node's name and labels satisfy the term.
bool matches_term(const NodeTerm& term, std::string_view node_name, const json::Object& labels);

}  // namespace koi::client
