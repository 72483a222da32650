#include "auth/rbac.h"

#include <algorithm>
#include <set>

#include "api/selectors.h"

namespace koi::auth {

namespace {

bool has(const std::vector<std::string>& list, std::string_view wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

bool has_or_all(const std::vector<std::string>& list, std::string_view wanted) {
  return has(list, "*") || has(list, wanted);
}

// "pods", "pods/log", "*", "*/scale".
bool allows_resource(const std::vector<std::string>& list, std::string_view resource,
                     std::string_view subresource) {
  if (has(list, "*")) return true;
  if (subresource.empty()) return has(list, resource);
  const std::string both = std::string(resource) + "/" + std::string(subresource);
  return has(list, both) || has(list, "*/" + std::string(subresource));
}

bool allows_path(const std::vector<std::string>& list, std::string_view path) {
  return std::ranges::any_of(list, [path](std::string_view allowed) {
    if (allowed.ends_with('*')) return path.starts_with(allowed.substr(0, allowed.size() - 1));
    return allowed == path;
  });
}

std::vector<std::string> strings_of(const json::Value& rule, std::string_view field) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(rule, {field})) {
    if (const auto* text = item.if_string()) out.emplace_back(text->data(), text->size());
  }
  return out;
}

std::string role_key(std::string_view kind, std::string_view name_space, std::string_view name) {
  if (kind == "ClusterRole") return "c:" + std::string(name);
  return "r:" + std::string(name_space) + "/" + std::string(name);
}

void append_list(std::string& out, std::string_view label, const std::vector<std::string>& items) {
  if (items.empty()) return;
  if (out.size() > 1) out += ", ";
  out.append(label).append(":[");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += ", ";
    out.append("\"").append(items[i]).append("\"");
  }
  out += "]";
}

bool covers_one(const PolicyRule& held, const PolicyRule& one) {
  if (!has_or_all(held.verbs, one.verbs.front())) return false;
  if (!one.paths.empty()) return allows_path(held.paths, one.paths.front());
  if (!has_or_all(held.groups, one.groups.front())) return false;
  const std::string& resource = one.resources.front();
  const auto slash = resource.find('/');
  const bool resource_held =
      has(held.resources, resource) || has(held.resources, "*") ||
      (slash != std::string::npos && has(held.resources, "*" + resource.substr(slash)));
  if (!resource_held) return false;
  if (held.names.empty()) return true;
  return !one.names.empty() && has(held.names, one.names.front());
}

// Calls visit with each combination of one verb, group, resource and name.
template <class Visit>
void for_each_single(const PolicyRule& rule, Visit visit) {
  for (const std::string& verb : rule.verbs) {
    for (const std::string& path : rule.paths) visit(PolicyRule{.verbs = {verb}, .paths = {path}});
    for (const std::string& group : rule.groups) {
      for (const std::string& resource : rule.resources) {
        PolicyRule one{.verbs = {verb}, .groups = {group}, .resources = {resource}};
        if (rule.names.empty()) visit(one);
        for (const std::string& name : rule.names) {
          one.names = {name};
          visit(one);
        }
      }
    }
  }
}

}  // namespace

bool PolicyRule::allows(const Access& access) const {
  if (!has_or_all(verbs, access.verb)) return false;
  if (!access.path.empty()) return allows_path(paths, access.path);
  return has_or_all(groups, access.group) &&
         allows_resource(resources, access.resource, access.subresource) &&
         (names.empty() || has(names, access.name));
}

std::string PolicyRule::str() const {
  std::string out = "{";
  append_list(out, "APIGroups", groups);
  append_list(out, "Resources", resources);
  append_list(out, "ResourceNames", names);
  append_list(out, "NonResourceURLs", paths);
  append_list(out, "Verbs", verbs);
  return out + "}";
}

PolicyRules policy_rules_from(const json::Value& role) {
  PolicyRules rules;
  for (const json::Value& rule : json::array_at(role, {"rules"})) {
    rules.push_back({.verbs = strings_of(rule, "verbs"),
                     .groups = strings_of(rule, "apiGroups"),
                     .resources = strings_of(rule, "resources"),
                     .names = strings_of(rule, "resourceNames"),
                     .paths = strings_of(rule, "nonResourceURLs")});
  }
  return rules;
}

PolicyRules rules_not_covered(const PolicyRules& held, const PolicyRules& wanted) {
  PolicyRules missing;
  for (const PolicyRule& rule : wanted) {
    for_each_single(rule, [&](const PolicyRule& one) {
      const bool covered =
          std::ranges::any_of(held, [&one](const PolicyRule& own) { return covers_one(own, one); });
      if (covered) return;
      // The verbs of one resource are shown together.
      for (PolicyRule& other : missing) {
        if (other.groups == one.groups && other.resources == one.resources &&
            other.names == one.names && other.paths == one.paths) {
          if (!has(other.verbs, one.verbs.front())) other.verbs.push_back(one.verbs.front());
          return;
        }
      }
      missing.push_back(one);
    });
  }
  return missing;
}

RbacSnapshot::RbacSnapshot(const Sources& sources) {
  add_roles(sources);
  for (const auto& binding : sources.cluster_role_bindings) add_binding(*binding, true);
  for (const auto& binding : sources.role_bindings) add_binding(*binding, false);
}

void RbacSnapshot::add_roles(const Sources& sources) {
  for (const auto& role : sources.roles) {
    roles_[role_key("Role", role->name_space(), role->name())] =
        std::make_shared<const PolicyRules>(policy_rules_from(role->value()));
  }
  for (const auto& role : sources.cluster_roles) {
    auto rules = std::make_shared<PolicyRules>(policy_rules_from(role->value()));
    for (const json::Value& selector :
         json::array_at(role->value(), {"aggregationRule", "clusterRoleSelectors"})) {
      const auto compiled = api::LabelSelector::from_object(&selector);
      if (!compiled) continue;
      for (const auto& other : sources.cluster_roles) {
        if (other == role || !compiled->matches_object(other->value())) continue;
        std::ranges::move(policy_rules_from(other->value()), std::back_inserter(*rules));
      }
    }
    roles_[role_key("ClusterRole", "", role->name())] = std::move(rules);
  }
}

void RbacSnapshot::add_binding(const api::Object& binding, bool cluster_wide) {
  const json::Value& value = binding.value();
  const std::string_view role_kind = json::string_at(value, {"roleRef", "kind"});
  if (cluster_wide && role_kind != "ClusterRole") return;
  auto rules = role(role_kind, binding.name_space(), json::string_at(value, {"roleRef", "name"}));
  if (!rules) return;
  auto grant = std::make_shared<Grant>();
  grant->binding = (cluster_wide ? "ClusterRoleBinding \"" : "RoleBinding \"") +
                   std::string(binding.name()) +
                   (cluster_wide ? "" : "/" + std::string(binding.name_space())) + "\"";
  grant->name_space = cluster_wide ? "" : std::string(binding.name_space());
  grant->rules = std::move(rules);
  std::set<std::string> keys;
  for (const json::Value& subject : json::array_at(value, {"subjects"})) {
    const std::string_view kind = json::string_at(subject, {"kind"});
    const std::string name(json::string_at(subject, {"name"}));
    if (kind == "User") keys.insert("u:" + name);
    if (kind == "Group") keys.insert("g:" + name);
    if (kind == "ServiceAccount") {
      std::string name_space(json::string_at(subject, {"namespace"}));
      if (name_space.empty()) name_space = binding.name_space();
      keys.insert("u:system:serviceaccount:" + name_space + ":" + name);
    }
  }
  for (const std::string& key : keys) grants_[key].push_back(grant);
}

template <class Visit>
void RbacSnapshot::for_each_grant(const Identity& identity, Visit visit) const {
  const auto visit_key = [&](const std::string& key) {
    const auto found = grants_.find(key);
    if (found == grants_.end()) return true;
    return std::ranges::all_of(found->second, [&](const auto& grant) { return visit(*grant); });
  };
  if (!visit_key("u:" + identity.name)) return;
  for (const std::string& group : identity.groups) {
    if (!visit_key("g:" + group)) return;
  }
}

std::optional<std::string> RbacSnapshot::allows(const Identity& identity,
                                                const Access& access) const {
  std::optional<std::string> why;
  for_each_grant(identity, [&](const Grant& grant) {
    const bool applies =
        grant.name_space.empty() || (access.path.empty() && grant.name_space == access.name_space);
    if (!applies) return true;
    const bool allowed = std::ranges::any_of(
        *grant.rules, [&](const PolicyRule& rule) { return rule.allows(access); });
    if (allowed) why = "RBAC: allowed by " + grant.binding;
    return !allowed;
  });
  return why;
}

PolicyRules RbacSnapshot::rules_of(const Identity& identity, std::string_view name_space) const {
  PolicyRules out;
  for_each_grant(identity, [&](const Grant& grant) {
    if (grant.name_space.empty() || grant.name_space == name_space) {
      std::ranges::copy(*grant.rules, std::back_inserter(out));
    }
    return true;
  });
  return out;
}

std::shared_ptr<const PolicyRules> RbacSnapshot::role(std::string_view kind,
                                                      std::string_view name_space,
                                                      std::string_view name) const {
  const auto found = roles_.find(role_key(kind, name_space, name));
  return found == roles_.end() ? nullptr : found->second;
}

}  // namespace koi::auth
