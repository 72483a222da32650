#include "auth/bootstrap_policy.h"

#include <algorithm>
#include <span>
#include <string>

namespace koi::auth {

namespace {

constexpr std::string_view read = "get,list,watch";
constexpr std::string_view write = "create,delete,deletecollection,patch,update";
constexpr std::string_view all = "*";

// One rule; each list is separated by commas, and "-" stands for the core group.
struct RuleRow {
  std::string_view role;
  std::string_view verbs;
  std::string_view groups;
  std::string_view resources;
  std::string_view names{};
  std::string_view paths{};
};

constexpr std::string_view workloads_apps =
    "daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,"
    "statefulsets,statefulsets/scale";
constexpr std::string_view readable_apps =
    "controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,"
    "deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,"
    "statefulsets/scale,statefulsets/status";

constexpr RuleRow cluster_rules[] = {
    {"cluster-admin", all, all, all},
    {"cluster-admin", all, "", "", "", "*"},

    {"system:discovery", "get", "", "", "",
     "/api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/"},
    {"system:public-info-viewer", "get", "", "", "", "/healthz,/livez,/readyz,/version,/version/"},
    {"system:service-account-issuer-discovery", "get", "", "", "",
     "/.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,"
     "/openid/v1/jwks/"},
    {"system:monitoring", "get", "", "", "",
     "/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"},
    {"system:basic-user", "create", "authorization.k8s.io",
     "selfsubjectaccessreviews,selfsubjectrulesreviews"},
    {"system:basic-user", "create", "authentication.k8s.io", "selfsubjectreviews"},

    {"system:aggregate-to-view", read, "-",
     "bindings,configmaps,endpoints,events,limitranges,namespaces,namespaces/status,"
     "persistentvolumeclaims,persistentvolumeclaims/status,pods,pods/log,pods/status,"
     "replicationcontrollers,replicationcontrollers/scale,replicationcontrollers/status,"
     "resourcequotas,resourcequotas/status,serviceaccounts,services,services/status"},
    {"system:aggregate-to-view", read, "discovery.k8s.io", "endpointslices"},
    {"system:aggregate-to-view", read, "events.k8s.io", "events"},
    {"system:aggregate-to-view", read, "apps", readable_apps},
    {"system:aggregate-to-view", read, "autoscaling",
     "horizontalpodautoscalers,horizontalpodautoscalers/status"},
    {"system:aggregate-to-view", read, "batch", "cronjobs,cronjobs/status,jobs,jobs/status"},
    {"system:aggregate-to-view", read, "policy",
     "poddisruptionbudgets,poddisruptionbudgets/status"},
    {"system:aggregate-to-view", read, "networking.k8s.io",
     "ingresses,ingresses/status,networkpolicies"},
    {"system:aggregate-to-view", read, "resource.k8s.io",
     "resourceclaims,resourceclaims/status,resourceclaimtemplates"},

    {"system:aggregate-to-edit", read, "-",
     "pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy"},
    {"system:aggregate-to-edit", "impersonate", "-", "serviceaccounts"},
    {"system:aggregate-to-edit", write, "-",
     "pods,pods/attach,pods/exec,pods/portforward,pods/proxy"},
    {"system:aggregate-to-edit", "create", "-", "pods/eviction,serviceaccounts/token"},
    {"system:aggregate-to-edit", write, "-",
     "configmaps,events,persistentvolumeclaims,replicationcontrollers,"
     "replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy"},
    {"system:aggregate-to-edit", write, "apps", workloads_apps},
    {"system:aggregate-to-edit", write, "autoscaling", "horizontalpodautoscalers"},
    {"system:aggregate-to-edit", write, "batch", "cronjobs,jobs"},
    {"system:aggregate-to-edit", write, "policy", "poddisruptionbudgets"},
    {"system:aggregate-to-edit", write, "networking.k8s.io", "ingresses,networkpolicies"},
    {"system:aggregate-to-edit", "create,delete,deletecollection,get,list,patch,update,watch",
     "coordination.k8s.io", "leases"},
    {"system:aggregate-to-edit", write, "resource.k8s.io", "resourceclaims,resourceclaimtemplates"},

    {"system:aggregate-to-admin", "create", "authorization.k8s.io", "localsubjectaccessreviews"},
    {"system:aggregate-to-admin", "create,delete,deletecollection,get,list,patch,update,watch",
     "rbac.authorization.k8s.io", "rolebindings,roles"},

    {"system:auth-delegator", "create", "authentication.k8s.io", "tokenreviews"},
    {"system:auth-delegator", "create", "authorization.k8s.io", "subjectaccessreviews"},
    {"system:node-bootstrapper", "create,get,list,watch", "certificates.k8s.io",
     "certificatesigningrequests"},

    {"system:kube-scheduler", "create,patch,update", "-,events.k8s.io", "events"},
    {"system:kube-scheduler", "create,get,list,update,watch", "coordination.k8s.io", "leases"},
    {"system:kube-scheduler", read, "-",
     "namespaces,nodes,persistentvolumeclaims,persistentvolumes,replicationcontrollers,services"},
    {"system:kube-scheduler", "delete,get,list,watch", "-", "pods"},
    {"system:kube-scheduler", "create", "-", "bindings,pods/binding"},
    {"system:kube-scheduler", "patch,update", "-", "pods/status"},
    {"system:kube-scheduler", read, "apps", "replicasets,statefulsets"},
    {"system:kube-scheduler", read, "policy", "poddisruptionbudgets"},
    {"system:kube-scheduler", read, "scheduling.k8s.io", "priorityclasses"},
    {"system:kube-scheduler", read, "storage.k8s.io",
     "csidrivers,csinodes,csistoragecapacities,storageclasses,volumeattachments"},
    {"system:kube-scheduler", read, "resource.k8s.io",
     "deviceclasses,resourceclaims,resourceslices"},
    {"system:kube-scheduler", "patch,update", "resource.k8s.io", "resourceclaims/status"},

    {"system:kube-controller-manager", "create,patch,update", "-,events.k8s.io", "events"},
    {"system:kube-controller-manager", "create,get,list,update,watch", "coordination.k8s.io",
     "leases"},
    {"system:kube-controller-manager", "create,get,update", "-", "secrets,serviceaccounts"},
    {"system:kube-controller-manager", "delete", "-", "secrets"},
    {"system:kube-controller-manager", "get", "-", "configmaps,namespaces"},
    {"system:kube-controller-manager", "create", "-", "serviceaccounts/token"},
    {"system:kube-controller-manager", "list,watch", "*", "*"},
    {"system:kube-controller-manager", "create", "authentication.k8s.io", "tokenreviews"},
    {"system:kube-controller-manager", "create", "authorization.k8s.io", "subjectaccessreviews"},

    {"system:kube-dns", "list,watch", "-", "endpoints,services"},
    {"system:node-proxier", "list,watch", "-", "endpoints,services"},
    {"system:node-proxier", "get,list,watch", "-", "nodes"},
    {"system:node-proxier", "create,patch,update", "-,events.k8s.io", "events"},
    {"system:node-proxier", "list,watch", "discovery.k8s.io", "endpointslices"},
    {"system:persistent-volume-provisioner", "create,delete,get,list,watch", "-",
     "persistentvolumes"},
    {"system:persistent-volume-provisioner", "get,list,update,watch", "-",
     "persistentvolumeclaims"},
    {"system:persistent-volume-provisioner", read, "storage.k8s.io", "storageclasses"},
    {"system:persistent-volume-provisioner", "create,patch,update", "-", "events"},

    {"system:controller:deployment-controller", "get,list,update,watch", "apps", "deployments"},
    {"system:controller:deployment-controller", "update", "apps",
     "deployments/finalizers,deployments/status"},
    {"system:controller:deployment-controller", "create,delete,get,list,patch,update,watch", "apps",
     "replicasets"},
    {"system:controller:deployment-controller", "get,list,update,watch", "-", "pods"},
    {"system:controller:deployment-controller", "create,patch,update", "-,events.k8s.io", "events"},
    {"system:controller:replicaset-controller", "get,list,update,watch", "apps", "replicasets"},
    {"system:controller:replicaset-controller", "update", "apps",
     "replicasets/finalizers,replicasets/status"},
    {"system:controller:replicaset-controller", "create,delete,list,patch,watch", "-", "pods"},
    {"system:controller:replicaset-controller", "create,patch,update", "-,events.k8s.io", "events"},
    {"system:controller:namespace-controller", "delete,get,list,watch", "-", "namespaces"},
    {"system:controller:namespace-controller", "update", "-",
     "namespaces/finalize,namespaces/status"},
    {"system:controller:namespace-controller", "delete,deletecollection,get,list", "*", "*"},
    {"system:controller:generic-garbage-collector", "delete,get,list,patch,update,watch", "*", "*"},
    {"system:controller:generic-garbage-collector", "create,patch,update", "-,events.k8s.io",
     "events"},
    {"system:controller:node-controller", "delete,get,list,patch,update,watch", "-", "nodes"},
    {"system:controller:node-controller", "patch,update", "-", "nodes/status,pods/status"},
    {"system:controller:node-controller", "delete,get,list", "-", "pods"},
    {"system:controller:node-controller", "create,patch,update", "-,events.k8s.io", "events"},
    {"system:controller:service-account-controller", "create", "-", "serviceaccounts"},
    {"system:controller:service-account-controller", "create,patch,update", "-,events.k8s.io",
     "events"},
    {"system:controller:root-ca-cert-publisher", "create,update", "-", "configmaps"},
    {"system:controller:root-ca-cert-publisher", "create,patch,update", "-,events.k8s.io",
     "events"},
};

// Roles that hold the rules of others, chosen by the label aggregate-to-<name>.
struct AggregateRow {
  std::string_view role;
  std::string_view parts;    // of whose rules it is made at first
  std::string_view label{};  // by which it is itself chosen
};
constexpr AggregateRow aggregates[] = {
    {"admin", "system:aggregate-to-admin,system:aggregate-to-edit,system:aggregate-to-view"},
    {"edit", "system:aggregate-to-edit,system:aggregate-to-view", "admin"},
    {"view", "system:aggregate-to-view", "edit"},
};

struct BindingRow {
  std::string_view name;
  std::string_view role;
  std::string_view kind;  // of its subject: "Group", "User", or a namespace of service accounts
  std::string_view subject;
};
constexpr BindingRow bindings[] = {
    {"cluster-admin", "cluster-admin", "Group", "system:masters"},
    {"system:discovery", "system:discovery", "Group", "system:authenticated"},
    {"system:basic-user", "system:basic-user", "Group", "system:authenticated"},
    {"system:public-info-viewer", "system:public-info-viewer", "Group",
     "system:authenticated,system:unauthenticated"},
    {"system:service-account-issuer-discovery", "system:service-account-issuer-discovery", "Group",
     "system:serviceaccounts"},
    {"system:monitoring", "system:monitoring", "Group", "system:monitoring"},
    {"system:kube-scheduler", "system:kube-scheduler", "User", "system:kube-scheduler"},
    {"system:kube-controller-manager", "system:kube-controller-manager", "User",
     "system:kube-controller-manager"},
    {"system:node-proxier", "system:node-proxier", "User", "system:kube-proxy"},
    {"system:controller:deployment-controller", "system:controller:deployment-controller",
     "kube-system", "deployment-controller"},
    {"system:controller:replicaset-controller", "system:controller:replicaset-controller",
     "kube-system", "replicaset-controller"},
    {"system:controller:namespace-controller", "system:controller:namespace-controller",
     "kube-system", "namespace-controller"},
    {"system:controller:generic-garbage-collector", "system:controller:generic-garbage-collector",
     "kube-system", "generic-garbage-collector"},
    {"system:controller:node-controller", "system:controller:node-controller", "kube-system",
     "node-controller"},
    {"system:controller:service-account-controller", "system:controller:service-account-controller",
     "kube-system", "service-account-controller"},
    {"system:controller:root-ca-cert-publisher", "system:controller:root-ca-cert-publisher",
     "kube-system", "root-ca-cert-publisher"},
};

template <class Visit>
void for_each_word(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    visit(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

json::Array words(std::string_view list) {
  json::Array out;
  for_each_word(list, [&out](std::string_view word) { out.emplace_back(word == "-" ? "" : word); });
  return out;
}

json::Value rule_of(const RuleRow& row) {
  json::Object rule;
  rule["verbs"] = words(row.verbs);
  if (!row.groups.empty()) rule["apiGroups"] = words(row.groups);
  if (!row.resources.empty()) rule["resources"] = words(row.resources);
  if (!row.names.empty()) rule["resourceNames"] = words(row.names);
  if (!row.paths.empty()) rule["nonResourceURLs"] = words(row.paths);
  return rule;
}

json::Value named(std::string_view name) {
  json::Value object;
  json::set(object, {"metadata", "name"}, json::Value(name));
  json::set(object, {"metadata", "labels", "kubernetes.io/bootstrapping"}, "rbac-defaults");
  json::set(object, {"metadata", "annotations", "rbac.authorization.kubernetes.io/autoupdate"},
            "true");
  return object;
}

std::string aggregate_label(std::string_view target) {
  return "rbac.authorization.k8s.io/aggregate-to-" + std::string(target);
}

void add_rules(json::Value& role, std::string_view name) {
  for (const RuleRow& row : cluster_rules) {
    if (row.role == name) json::ensure_array(role, {"rules"}).push_back(rule_of(row));
  }
}

json::Value plain_role(std::string_view name) {
  json::Value role = named(name);
  constexpr std::string_view part_prefix = "system:aggregate-to-";
  if (name.starts_with(part_prefix)) {
    json::set(role, {"metadata", "labels", aggregate_label(name.substr(part_prefix.size()))},
              "true");
  }
  add_rules(role, name);
  return role;
}

json::Value aggregate_role(const AggregateRow& row) {
  json::Value role = named(row.role);
  if (!row.label.empty()) {
    json::set(role, {"metadata", "labels", aggregate_label(row.label)}, "true");
  }
  json::Value selector;
  json::set(selector, {"matchLabels", aggregate_label(row.role)}, "true");
  json::ensure_array(role, {"aggregationRule", "clusterRoleSelectors"})
      .push_back(std::move(selector));
  for_each_word(row.parts, [&role](std::string_view part) { add_rules(role, part); });
  return role;
}

json::Value binding_of(const BindingRow& row) {
  json::Value binding = named(row.name);
  json::set(
      binding, {"roleRef"},
      {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", row.role}});
  for_each_word(row.subject, [&](std::string_view subject) {
    json::Object entry;
    if (row.kind == "Group" || row.kind == "User") {
      entry["kind"] = row.kind;
      entry["apiGroup"] = "rbac.authorization.k8s.io";
      entry["name"] = subject;
    } else {
      entry["kind"] = "ServiceAccount";
      entry["name"] = subject;
      entry["namespace"] = row.kind;
    }
    json::ensure_array(binding, {"subjects"}).emplace_back(std::move(entry));
  });
  return binding;
}

// What system:node may is decided per node, not by a role; the names are kept for tools that look.
void add_node_role(std::vector<BootstrapObject>& out) {
  json::Value role = named("system:node");
  json::ensure_array(role, {"rules"});
  out.push_back({"clusterroles", std::move(role)});
  json::Value binding = named("system:node");
  json::set(binding, {"roleRef"},
            {{"apiGroup", "rbac.authorization.k8s.io"},
             {"kind", "ClusterRole"},
             {"name", "system:node"}});
  out.push_back({"clusterrolebindings", std::move(binding)});
}

}  // namespace

std::vector<BootstrapObject> bootstrap_policy() {
  std::vector<BootstrapObject> out;
  std::string_view last;
  for (const RuleRow& row : cluster_rules) {
    if (row.role == last) continue;
    last = row.role;
    out.push_back({"clusterroles", plain_role(row.role)});
  }
  for (const AggregateRow& row : aggregates) {
    out.push_back({"clusterroles", aggregate_role(row)});
  }
  for (const BindingRow& row : bindings) {
    out.push_back({"clusterrolebindings", binding_of(row)});
  }
  add_node_role(out);
  return out;
}

}  // namespace koi::auth
