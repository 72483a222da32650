#include <algorithm>
#include <string>

#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

void check_rules(FieldErrors& errors, const ValidationRequest& request) {
  const json::Array& rules = json::array_at(*request.object, {"rules"});
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string path = at("rules", i);
    if (is_empty(rules[i], {"verbs"})) {
      errors.push_back(required(at(path, "verbs"), "verbs must contain at least one value"));
    }
    const json::Value* urls = json::find(rules[i], {"nonResourceURLs"});
    if (urls != nullptr && !is_empty(*urls, {})) {
      if (request.kind->namespaced) {
        errors.push_back(invalid(at(path, "nonResourceURLs"), *urls,
                                 "namespaced rules cannot apply to non-resource URLs"));
      }
      if (!is_empty(rules[i], {"apiGroups"}) || !is_empty(rules[i], {"resources"})) {
        errors.push_back(invalid(at(path, "nonResourceURLs"), *urls,
                                 "rules cannot apply to both regular resources and non-resource "
                                 "URLs"));
      }
      continue;
    }
    if (is_empty(rules[i], {"apiGroups"})) {
      errors.push_back(
          required(at(path, "apiGroups"), "resource rules must supply at least one api group"));
    }
    if (is_empty(rules[i], {"resources"})) {
      errors.push_back(
          required(at(path, "resources"), "resource rules must supply at least one resource"));
    }
  }
}

void check_subject(FieldErrors& errors, const json::Value& subject, const std::string& path,
                   bool is_namespaced) {
  const std::string kind(json::string_at(subject, {"kind"}));
  const std::string name(json::string_at(subject, {"name"}));
  const std::string group(json::string_at(subject, {"apiGroup"}));
  if (name.empty()) errors.push_back(required(at(path, "name")));
  if (kind == "ServiceAccount") {
    if (!name.empty()) check_name(errors, at(path, "name"), name, check_dns1123_subdomain);
    if (!group.empty()) {
      errors.push_back(not_supported(at(path, "apiGroup"), json::Value(group), {""}));
    }
    if (!is_namespaced && json::string_at(subject, {"namespace"}).empty()) {
      errors.push_back(required(at(path, "namespace")));
    }
  } else if (kind == "User" || kind == "Group") {
    if (group != rbac_group) {
      errors.push_back(not_supported(at(path, "apiGroup"), json::Value(group), {rbac_group}));
    }
  } else {
    errors.push_back(
        not_supported(at(path, "kind"), json::Value(kind), {"ServiceAccount", "User", "Group"}));
  }
}

void check_binding(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& binding = *request.object;
  const bool is_namespaced = request.kind->namespaced;
  const std::string group(json::string_at(binding, {"roleRef", "apiGroup"}));
  const std::string kind(json::string_at(binding, {"roleRef", "kind"}));
  if (group != rbac_group) {
    errors.push_back(not_supported("roleRef.apiGroup", json::Value(group), {rbac_group}));
  }
  if (is_namespaced && kind != "Role" && kind != "ClusterRole") {
    errors.push_back(not_supported("roleRef.kind", json::Value(kind), {"Role", "ClusterRole"}));
  }
  if (!is_namespaced && kind != "ClusterRole") {
    errors.push_back(not_supported("roleRef.kind", json::Value(kind), {"ClusterRole"}));
  }
  const std::string_view name = json::string_at(binding, {"roleRef", "name"});
  if (name.empty()) {
    errors.push_back(required("roleRef.name"));
  } else {
    check_name(errors, "roleRef.name", name, check_path_segment);
  }
  const json::Array& subjects = json::array_at(binding, {"subjects"});
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    check_subject(errors, subjects[i], at("subjects", i), is_namespaced);
  }
  if (request.before != nullptr &&
      !is_same(json::find(binding, {"roleRef"}), json::find(*request.before, {"roleRef"}))) {
    const json::Value* reference = json::find(binding, {"roleRef"});
    errors.push_back(invalid("roleRef", reference != nullptr ? *reference : json::Value(nullptr),
                             "cannot change roleRef"));
  }
}

void check_lease(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& lease = *request.object;
  const auto seconds = json::int_at(lease, {"spec", "leaseDurationSeconds"});
  if (seconds && *seconds <= 0) {
    errors.push_back(invalid("spec.leaseDurationSeconds", *seconds, "must be greater than 0"));
  }
  if (const json::Value* spec = json::find(lease, {"spec"})) {
    check_not_negative(errors, *spec, "spec", "leaseTransitions");
  }
}

void check_backend(FieldErrors& errors, const json::Value& backend, const std::string& path) {
  const json::Value* service = json::find(backend, {"service"});
  const bool has_resource = json::find(backend, {"resource"}) != nullptr;
  if (service != nullptr && has_resource) {
    errors.push_back(
        invalid(path, json::Value(""), "cannot set both resource and service backends"));
    return;
  }
  if (has_resource) return;
  if (service == nullptr) {
    errors.push_back(required(path, "resource or service backend is required"));
    return;
  }
  const std::string_view name = json::string_at(*service, {"name"});
  if (name.empty()) {
    errors.push_back(required(at(path, "service.name")));
  } else {
    check_name(errors, at(path, "service.name"), name, check_dns1035_label);
  }
  const bool has_name = !json::string_at(*service, {"port", "name"}).empty();
  const auto number = json::int_at(*service, {"port", "number"}, 0);
  if (!has_name && number == 0) {
    errors.push_back(required(path, "port name or number is required"));
  } else if (has_name && number != 0) {
    errors.push_back(invalid(path, json::Value(""), "cannot set both port name & port number"));
  } else if (number != 0) {
    check_port_number(errors, at(path, "service.port.number"), number);
  }
}

void check_ingress_path(FieldErrors& errors, const json::Value& entry, const std::string& path) {
  const std::string url(json::string_at(entry, {"path"}));
  const std::string_view type = json::string_at(entry, {"pathType"});
  if (type.empty()) errors.push_back(required(at(path, "pathType"), "pathType must be specified"));
  const bool is_prefix = type == "Prefix" || type == "Exact";
  if ((is_prefix || !url.empty()) && !url.starts_with('/')) {
    errors.push_back(invalid(at(path, "path"), json::Value(url), "must be an absolute path"));
  }
  if (is_prefix) {
    for (const std::string_view bad : {"//", "/./", "/../", "%2f", "%2F"}) {
      if (url.find(bad) != std::string::npos) {
        errors.push_back(invalid(at(path, "path"), json::Value(url),
                                 "must not contain '" + std::string(bad) + "'"));
      }
    }
  }
  static const json::Value empty{json::Object()};
  const json::Value* backend = json::find(entry, {"backend"});
  check_backend(errors, backend != nullptr ? *backend : empty, at(path, "backend"));
}

void check_ingress(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& ingress = *request.object;
  const json::Array& rules = json::array_at(ingress, {"spec", "rules"});
  const json::Value* fallback = json::find(ingress, {"spec", "defaultBackend"});
  if (rules.empty() && fallback == nullptr) {
    errors.push_back(invalid("spec", json::Value(json::Array()),
                             "either `defaultBackend` or `rules` must be specified"));
  }
  if (fallback != nullptr) check_backend(errors, *fallback, "spec.defaultBackend");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string path = at("spec.rules", i);
    const std::string_view host = json::string_at(rules[i], {"host"});
    if (!host.empty()) {
      if (!check_ip(host)) {
        errors.push_back(invalid(at(path, "host"), json::Value(std::string(host)),
                                 "must be a DNS name, not an IP address"));
      }
      check_name(
          errors, at(path, "host"), host,
          host.starts_with('*') ? check_wildcard_dns1123_subdomain : check_dns1123_subdomain);
    }
    const json::Value* http = json::find(rules[i], {"http"});
    if (http == nullptr) continue;
    const json::Array& paths = json::array_at(*http, {"paths"});
    if (paths.empty()) errors.push_back(required(at(path, "http.paths")));
    for (std::size_t j = 0; j < paths.size(); ++j) {
      check_ingress_path(errors, paths[j], at(at(path, "http.paths"), j));
    }
  }
}

void check_disruption_budget(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& budget = *request.object;
  if (json::find(budget, {"spec", "minAvailable"}) != nullptr &&
      json::find(budget, {"spec", "maxUnavailable"}) != nullptr) {
    errors.push_back(invalid("spec", *json::find(budget, {"spec"}),
                             "minAvailable and maxUnavailable cannot be both set"));
  }
}

void check_autoscaler(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  const auto min = json::int_at(object, {"spec", "minReplicas"});
  const auto max = json::int_at(object, {"spec", "maxReplicas"}, 0);
  if (min && *min < 1) {
    errors.push_back(invalid("spec.minReplicas", *min, "must be greater than or equal to 1"));
  }
  if (max < 1) errors.push_back(invalid("spec.maxReplicas", max, "must be greater than 0"));
  if (min && max < *min) {
    errors.push_back(
        invalid("spec.maxReplicas", max, "must be greater than or equal to `minReplicas`"));
  }
}

void check_storage_class(FieldErrors& errors, const ValidationRequest& request) {
  if (request.before == nullptr) return;
  for (const std::string_view member :
       {"parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"}) {
    if (is_same(json::find(*request.object, {member}), json::find(*request.before, {member}))) {
      continue;
    }
    if (member == "parameters" || member == "provisioner" || member == "reclaimPolicy") {
      errors.push_back(
          forbidden(std::string(member), "updates to " + std::string(member) + " are forbidden."));
    } else {
      check_immutable(errors, std::string(member), json::find(*request.object, {member}),
                      json::find(*request.before, {member}));
    }
  }
}

}  // namespace

KindRule policy_rule(const Kind& kind) {
  struct Entry {
    std::string_view group;
    std::string_view kind;
    KindRule rule;
  };
  static constexpr Entry entries[] = {
      {rbac_group, "Role", check_rules},
      {rbac_group, "ClusterRole", check_rules},
      {rbac_group, "RoleBinding", check_binding},
      {rbac_group, "ClusterRoleBinding", check_binding},
      {"coordination.k8s.io", "Lease", check_lease},
      {"networking.k8s.io", "Ingress", check_ingress},
      {"policy", "PodDisruptionBudget", check_disruption_budget},
      {"autoscaling", "HorizontalPodAutoscaler", check_autoscaler},
      {"storage.k8s.io", "StorageClass", check_storage_class},
  };
  for (const Entry& entry : entries) {
    if (entry.kind == kind.kind && entry.group == kind.group) return entry.rule;
  }
  return nullptr;
}

}  // namespace koi::api::rules
