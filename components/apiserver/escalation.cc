#include "apiserver/escalation.h"

#include <algorithm>

namespace koi::apiserver {

namespace {

using api::StatusOr;

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

bool is_same(const json::Value& object, const json::Value* before, std::string_view member) {
  if (before == nullptr) return false;
  const json::Value* now = json::find(object, {member});
  const json::Value* then = json::find(*before, {member});
  return now != nullptr && then != nullptr ? *now == *then : now == then;
}

bool may(const Call& call, const auth::Authorizer& authorizer, std::string verb,
         std::string_view plural, std::string_view name) {
  auth::Access access;
  access.verb = std::move(verb);
  access.group = rbac_group;
  access.resource = plural;
  access.name_space = call.name_space;
  access.name = name;
  return authorizer.decide(call.user, access).allowed;
}

std::string described(const auth::Identity& user) {
  std::string out = "user " + api::quoted(user.name) + " (groups=[";
  for (std::size_t i = 0; i < user.groups.size(); ++i) {
    if (i != 0) out += " ";
    out += api::quoted(user.groups[i]);
  }
  return out + "])";
}

StatusOr<void> check_held(const Call& call, const auth::RbacSnapshot& snapshot,
                          const auth::PolicyRules& wanted) {
  const auth::PolicyRules held = snapshot.rules_of(call.user, call.name_space);
  const auth::PolicyRules missing = auth::rules_not_covered(held, wanted);
  if (missing.empty()) return {};
  std::string why =
      described(call.user) + " is attempting to grant RBAC permissions not currently held:";
  for (const auth::PolicyRule& rule : missing) why += "\n" + rule.str();
  return std::unexpected(api::forbidden_status(call.about(), why));
}

}  // namespace

StatusOr<void> check_escalation(const Call& call, const json::Value& object,
                                const json::Value* before, const auth::Authorizer& authorizer) {
  if (call.resource->group() != rbac_group || call.user.is_master()) return {};
  const std::string_view plural = call.resource->plural();
  const auto snapshot = authorizer.snapshot();
  if (plural == "roles" || plural == "clusterroles") {
    if (is_same(object, before, "rules") && is_same(object, before, "aggregationRule")) return {};
    if (may(call, authorizer, "escalate", plural, call.name)) return {};
    auth::PolicyRules wanted = auth::policy_rules_from(object);
    if (json::find(object, {"aggregationRule"}) != nullptr) {
      // It may come to hold anything.
      wanted.push_back({.verbs = {"*"}, .groups = {"*"}, .resources = {"*"}});
      wanted.push_back({.verbs = {"*"}, .paths = {"*"}});
    }
    return check_held(call, *snapshot, wanted);
  }
  if (is_same(object, before, "roleRef") && is_same(object, before, "subjects")) return {};
  const std::string_view kind = json::string_at(object, {"roleRef", "kind"});
  const std::string_view name = json::string_at(object, {"roleRef", "name"});
  const std::string_view role_plural = kind == "ClusterRole" ? "clusterroles" : "roles";
  if (may(call, authorizer, "bind", role_plural, name)) return {};
  const auto rules = snapshot->role(kind, call.name_space, name);
  if (!rules) return std::unexpected(api::not_found_status({rbac_group, role_plural, name}));
  return check_held(call, *snapshot, *rules);
}

}  // namespace koi::apiserver
