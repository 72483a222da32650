#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/object.h"
#include "auth/identity.h"

namespace koi::auth {

// One rule of a Role or ClusterRole.
struct PolicyRule {
  std::vector<std::string> verbs{};
  std::vector<std::string> groups{};
  std::vector<std::string> resources{};
  std::vector<std::string> names{};
  std::vector<std::string> paths{};

  bool allows(const Access& access) const;
  // As messages about escalation print it.
  std::string str() const;
};
using PolicyRules = std::vector<PolicyRule>;

// The `rules` array of a role.
PolicyRules policy_rules_from(const json::Value& role);

// The rules (each narrowed to one verb, group and resource) of `wanted` that nothing in `held`
// grants.
PolicyRules rules_not_covered(const PolicyRules& held, const PolicyRules& wanted);

// Every role and binding of the cluster, compiled for lookup by subject. Immutable; any thread.
class RbacSnapshot {
 public:
  struct Sources {
    std::vector<api::ObjectPtr> roles{};
    std::vector<api::ObjectPtr> cluster_roles{};
    std::vector<api::ObjectPtr> role_bindings{};
    std::vector<api::ObjectPtr> cluster_role_bindings{};
  };

  explicit RbacSnapshot(const Sources& sources);

  // Why the access is allowed, for the audit trail; nothing when no rule allows it.
  std::optional<std::string> allows(const Identity& identity, const Access& access) const;

  // Everything the identity may do in the namespace; cluster-wide grants only when it is empty.
  PolicyRules rules_of(const Identity& identity, std::string_view name_space) const;

  // The rules a role reference stands for; null when there is no such role.
  std::shared_ptr<const PolicyRules> role(std::string_view kind, std::string_view name_space,
                                          std::string_view name) const;

 private:
  struct Grant {
    std::string binding;     // "ClusterRoleBinding \"x\""
    std::string name_space;  // empty: everywhere
    std::shared_ptr<const PolicyRules> rules;
  };

  void add_roles(const Sources& sources);
  void add_binding(const api::Object& binding, bool cluster_wide);
  template <class Visit>
  void for_each_grant(const Identity& identity, Visit visit) const;

  std::unordered_map<std::string, std::shared_ptr<const PolicyRules>> roles_;
  // By "u:<user>" and "g:<group>".
  std::unordered_map<std::string, std::vector<std::shared_ptr<const Grant>>> grants_;
};

}  // namespace koi::auth
