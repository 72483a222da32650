#include "apiserver/resource.h"

#include <algorithm>

#include "api/convert.h"

namespace koi::apiserver {

namespace {

using Names = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view name, Names names) {
  return std::ranges::find(names, name) != names.end();
}

// Plural names are unique among the built-in kinds but for events and autoscalers.
bool has_generation(const api::Kind& kind) {
  return is_one_of(kind.plural, {"pods",
                                 "deployments",
                                 "replicasets",
                                 "daemonsets",
                                 "statefulsets",
                                 "replicationcontrollers",
                                 "jobs",
                                 "cronjobs",
                                 "ingresses",
                                 "ingressclasses",
                                 "networkpolicies",
                                 "poddisruptionbudgets",
                                 "customresourcedefinitions",
                                 "flowschemas",
                                 "prioritylevelconfigurations",
                                 "endpointslices",
                                 "resourceslices",
                                 "deviceclasses",
                                 "csidrivers",
                                 "validatingadmissionpolicies",
                                 "validatingadmissionpolicybindings",
                                 "mutatingadmissionpolicies",
                                 "mutatingadmissionpolicybindings",
                                 "validatingwebhookconfigurations",
                                 "mutatingwebhookconfigurations"});
}

Resource describe(const api::Kind& kind) {
  Resource resource;
  resource.kind = &kind;
  const std::string_view group = kind.group.empty() ? "core" : kind.group;
  resource.prefix = "/registry/" + std::string(group) + "/" + std::string(kind.plural) + "/";
  resource.item_head = R"({"kind":")" + std::string(kind.kind) + R"(","apiVersion":")" +
                       std::string(kind.api_version) + R"(",)";
  resource.has_status = kind.subresource("status") != nullptr;
  resource.has_generation = has_generation(kind);
  resource.is_graceful = kind.plural == "pods";
  resource.creates_on_update =
      is_one_of(kind.plural, {"events", "leases", "endpoints", "limitranges", "roles",
                              "clusterroles", "rolebindings", "clusterrolebindings", "services"});
  resource.updates_unconditionally =
      !is_one_of(kind.plural, {"leases", "poddisruptionbudgets", "customresourcedefinitions",
                               "apiservices", "volumeattachments",
                               "validatingwebhookconfigurations", "mutatingwebhookconfigurations",
                               "validatingadmissionpolicies", "validatingadmissionpolicybindings",
                               "flowschemas", "prioritylevelconfigurations"});
  resource.returns_deleted = is_one_of(
      kind.plural, {"pods", "services", "serviceaccounts", "persistentvolumes",
                    "persistentvolumeclaims", "podtemplates", "resourcequotas", "storageclasses",
                    "csinodes", "csidrivers", "volumeattachments", "csistoragecapacities"});
  resource.is_virtual = !kind.has_verb("get");
  return resource;
}

std::string path_of(std::string_view group, std::string_view version, std::string_view plural) {
  return std::string(group) + "/" + std::string(version) + "/" + std::string(plural);
}

// Equal but for the members named, below the same parents.
bool same_without(const json::Value& before, const json::Value& after, Names skipped) {
  const auto* left = before.if_object();
  const auto* right = after.if_object();
  if (left == nullptr || right == nullptr) return before == after;
  const auto covers = [&skipped](const json::Object& all, const json::Object& other) {
    return std::ranges::all_of(all, [&](const auto& member) {
      if (is_one_of(std::string_view(member.key().data(), member.key().size()), skipped)) {
        return true;
      }
      const json::Value* twin = other.if_contains(member.key());
      return twin != nullptr && *twin == member.value();
    });
  };
  return covers(*left, *right) && covers(*right, *left);
}

const json::Value& member(const json::Value& object, std::string_view name) {
  static const json::Value nothing;
  const json::Value* value = json::find(object, {name});
  return value != nullptr ? *value : nothing;
}

constexpr Names ignored_metadata{"resourceVersion", "managedFields"};

bool is_renewal(const json::Value& before, const json::Value& after) {
  return same_without(before, after, {"metadata", "spec"}) &&
         same_without(member(before, "metadata"), member(after, "metadata"), ignored_metadata) &&
         same_without(member(before, "spec"), member(after, "spec"), {"renewTime"});
}

bool is_heartbeat(const json::Value& before, const json::Value& after) {
  if (!same_without(before, after, {"metadata", "status"})) return false;
  if (!same_without(member(before, "metadata"), member(after, "metadata"), ignored_metadata)) {
    return false;
  }
  const json::Value& status = member(before, "status");
  const json::Value& new_status = member(after, "status");
  if (!same_without(status, new_status, {"conditions"})) return false;
  const json::Array& conditions = json::array_at(status, {"conditions"});
  const json::Array& new_conditions = json::array_at(new_status, {"conditions"});
  return std::ranges::equal(conditions, new_conditions, [](const auto& one, const auto& other) {
    return same_without(one, other, {"lastHeartbeatTime"});
  });
}

}  // namespace

std::string Resource::key(std::string_view name_space, std::string_view name) const {
  std::string out = collection(name_space);
  out.append(name);
  return out;
}

std::string Resource::collection(std::string_view name_space) const {
  std::string out = prefix;
  if (!name_space.empty() && namespaced()) out.append(name_space).append("/");
  return out;
}

Catalog::Catalog(const api::Schema& schema) : schema_(schema) {
  std::vector<Resource*> made;
  for (const api::Kind& kind : schema.kinds()) {
    auto resource = std::make_unique<Resource>(describe(kind));
    by_path_[path_of(kind.group, kind.version, kind.plural)] = resource.get();
    made.push_back(resource.get());
    resources_.push_back(std::move(resource));
  }
  for (Resource* resource : made) {
    const api::Kind& stored = api::storage_kind(*resource->kind, schema);
    if (&stored == resource->kind) continue;
    resource->stored_as = find(stored.group, stored.version, stored.plural);
  }
}

const Resource* Catalog::find(std::string_view group, std::string_view version,
                              std::string_view plural) const {
  const auto found = by_path_.find(path_of(group, version, plural));
  return found == by_path_.end() ? nullptr : found->second;
}

const Resource* Catalog::find_any_version(std::string_view group, std::string_view plural) const {
  for (const auto& resource : resources_) {
    if (resource->group() == group && resource->plural() == plural) return resource.get();
  }
  return nullptr;
}

datastore::Durability durability_of(const Resource& resource, const json::Value* before,
                                    const json::Value* after) {
  using datastore::Durability;
  if (resource.plural() == "events") return Durability::lazy;
  if (before == nullptr || after == nullptr) return Durability::durable;
  if (resource.plural() == "leases" && is_renewal(*before, *after)) return Durability::lazy;
  if (resource.plural() == "nodes" && is_heartbeat(*before, *after)) return Durability::lazy;
  return Durability::durable;
}

}  // namespace koi::apiserver
