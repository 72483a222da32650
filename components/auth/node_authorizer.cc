#include "auth/node_authorizer.h"

#include <algorithm>
#include <array>

namespace koi::auth {

namespace {

constexpr std::string_view prefix = "system:node:";

struct NodeRule {
  std::string_view group;
  std::string_view resource;  // with its subresource
  std::string_view verbs;
  bool own_name = false;  // only the object that is named as the node
};

constexpr std::array<NodeRule, 30> rules{{
    {"", "nodes", "create get list watch"},
    {"", "nodes", "update patch", true},
    {"", "nodes/status", "update patch", true},
    {"", "pods", "get list watch create delete"},
    {"", "pods/status", "update patch"},
    {"", "pods/eviction", "create"},
    {"", "pods/resize", "update patch"},
    {"", "events", "create update patch"},
    {"events.k8s.io", "events", "create update patch"},
    {"", "services", "get list watch"},
    {"", "endpoints", "get list watch"},
    {"discovery.k8s.io", "endpointslices", "get list watch"},
    {"", "namespaces", "get list watch"},
    {"", "configmaps", "get list watch"},
    {"", "secrets", "get list watch"},
    {"", "serviceaccounts", "get"},
    {"", "serviceaccounts/token", "create"},
    {"", "persistentvolumes", "get list watch"},
    {"", "persistentvolumeclaims", "get list watch"},
    {"", "persistentvolumeclaims/status", "get update patch"},
    {"coordination.k8s.io", "leases", "get create update patch delete", true},
    {"storage.k8s.io", "csinodes", "get create update patch delete", true},
    {"storage.k8s.io", "csidrivers", "get list watch"},
    {"storage.k8s.io", "volumeattachments", "get"},
    {"node.k8s.io", "runtimeclasses", "get list watch"},
    {"certificates.k8s.io", "certificatesigningrequests", "create get list watch"},
    {"authentication.k8s.io", "tokenreviews", "create"},
    {"authorization.k8s.io", "subjectaccessreviews", "create"},
    {"networking.k8s.io", "networkpolicies", "get list watch"},
    {"resource.k8s.io", "resourceclaims", "get"},
}};

bool has_word(std::string_view words, std::string_view word) {
  for (std::size_t at = 0; at < words.size();) {
    const auto end = std::min(words.find(' ', at), words.size());
    if (words.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

std::optional<std::string> node_of(const Identity& identity) {
  if (!identity.name.starts_with(prefix) || !identity.in_group("system:nodes")) {
    return std::nullopt;
  }
  return identity.name.substr(prefix.size());
}

bool node_allows(std::string_view node, const Access& access) {
  if (!access.path.empty()) return false;
  std::string resource = access.resource;
  if (!access.subresource.empty()) resource += "/" + access.subresource;
  return std::ranges::any_of(rules, [&](const NodeRule& rule) {
    if (rule.group != access.group || rule.resource != resource) return false;
    if (!has_word(rule.verbs, access.verb)) return false;
    // A creation carries its name in the body; where it matters the namespace bounds it.
    return !rule.own_name || access.name == node || access.verb == "create";
  });
}

}  // namespace koi::auth
