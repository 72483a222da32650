#include "api/discovery.h"

#include <algorithm>
#include <string>
#include <vector>

namespace koi::api {

namespace {

json::Array strings(std::span<const std::string_view> list) {
  json::Array out;
  out.reserve(list.size());
  for (const std::string_view text : list)
    out.emplace_back(boost::json::string(text.data(), text.size()));
  return out;
}

boost::json::string text(std::string_view view) {
  return boost::json::string(view.data(), view.size());
}

// The verbs of a subresource as the schema has them are HTTP methods where no object is behind it.
json::Array subresource_verbs(const Subresource& subresource) {
  json::Array out;
  for (const std::string_view verb : subresource.verbs) {
    if (verb == "head" || verb == "options") continue;
    out.push_back(text(verb == "post" ? "create" : verb == "put" ? "update" : verb));
  }
  std::ranges::sort(out, {}, [](const json::Value& verb) { return json::string_at(verb, {}); });
  return out;
}

std::string group_version(std::string_view group, std::string_view version) {
  if (group.empty()) return std::string(version);
  return std::string(group) + "/" + std::string(version);
}

std::vector<const Kind*> kinds_of(const Schema& schema, std::string_view group,
                                  std::string_view version) {
  std::vector<const Kind*> kinds;
  for (const Kind& kind : schema.kinds()) {
    if (kind.group == group && kind.version == version) kinds.push_back(&kind);
  }
  std::ranges::sort(kinds, {}, [](const Kind* kind) { return kind->plural; });
  return kinds;
}

std::vector<const Subresource*> subresources_of(const Kind& kind) {
  std::vector<const Subresource*> list;
  for (const Subresource& subresource : kind.subresources) {
    // "proxy/*" is a path below "proxy", not a subresource of its own.
    if (subresource.name.find('/') == std::string_view::npos) list.push_back(&subresource);
  }
  std::ranges::sort(list, {}, [](const Subresource* one) { return one->name; });
  return list;
}

json::Value version_entry(std::string_view group, std::string_view version) {
  json::Object entry;
  entry["groupVersion"] = group_version(group, version);
  entry["version"] = text(version);
  return entry;
}

json::Object group_entry(const GroupVersions& group) {
  json::Object entry;
  entry["name"] = text(group.group);
  json::Array& versions = entry["versions"].emplace_array();
  for (const std::string_view version : group.versions) {
    versions.push_back(version_entry(group.group, version));
  }
  if (!group.versions.empty()) {
    entry["preferredVersion"] = version_entry(group.group, group.versions.front());
  }
  return entry;
}

json::Value resource_entry(const Kind& kind) {
  json::Object entry;
  entry["name"] = text(kind.plural);
  entry["singularName"] = text(kind.singular);
  entry["namespaced"] = kind.namespaced;
  entry["kind"] = text(kind.kind);
  entry["verbs"] = strings(kind.verbs);
  if (!kind.short_names.empty()) entry["shortNames"] = strings(kind.short_names);
  if (!kind.categories.empty()) entry["categories"] = strings(kind.categories);
  return entry;
}

json::Value subresource_entry(const Kind& kind, const Subresource& subresource) {
  json::Object entry;
  entry["name"] = std::string(kind.plural) + "/" + std::string(subresource.name);
  entry["singularName"] = "";
  entry["namespaced"] = kind.namespaced;
  if (subresource.group != kind.group || subresource.version != kind.version) {
    entry["group"] = text(subresource.group);
    entry["version"] = text(subresource.version);
  }
  entry["kind"] = text(subresource.kind);
  entry["verbs"] = subresource_verbs(subresource);
  return entry;
}

json::Value response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  json::Object entry;
  entry["group"] = text(group);
  entry["version"] = text(version);
  entry["kind"] = text(kind);
  return entry;
}

json::Value resource_discovery(const Kind& kind) {
  json::Object entry;
  entry["resource"] = text(kind.plural);
  entry["responseKind"] = response_kind(kind.group, kind.version, kind.kind);
  entry["scope"] = kind.namespaced ? "Namespaced" : "Cluster";
  entry["singularResource"] = text(kind.singular);
  entry["verbs"] = strings(kind.verbs);
  if (!kind.short_names.empty()) entry["shortNames"] = strings(kind.short_names);
  if (!kind.categories.empty()) entry["categories"] = strings(kind.categories);
  if (!kind.subresources.empty()) {
    json::Array& list = entry["subresources"].emplace_array();
    for (const Subresource* subresource : subresources_of(kind)) {
      json::Object item;
      item["subresource"] = text(subresource->name);
      item["responseKind"] =
          response_kind(subresource->group, subresource->version, subresource->kind);
      item["verbs"] = subresource_verbs(*subresource);
      list.emplace_back(std::move(item));
    }
  }
  return entry;
}

json::Value group_discovery(const Schema& schema, const GroupVersions& group) {
  json::Object entry;
  json::Object& metadata = entry["metadata"].emplace_object();
  if (!group.group.empty()) metadata["name"] = text(group.group);
  metadata["creationTimestamp"] = nullptr;
  json::Array& versions = entry["versions"].emplace_array();
  for (const std::string_view version : group.versions) {
    json::Object item;
    item["version"] = text(version);
    json::Array& resources = item["resources"].emplace_array();
    for (const Kind* kind : kinds_of(schema, group.group, version)) {
      resources.push_back(resource_discovery(*kind));
    }
    item["freshness"] = "Current";
    versions.emplace_back(std::move(item));
  }
  return entry;
}

}  // namespace

json::Value discover_core_versions(std::string_view server_address) {
  json::Object out;
  out["kind"] = "APIVersions";
  out["versions"] = json::Array{"v1"};
  json::Object address;
  address["clientCIDR"] = "0.0.0.0/0";
  address["serverAddress"] = text(server_address);
  out["serverAddressByClientCIDRs"] = json::Array{std::move(address)};
  return out;
}

json::Value discover_groups(const Schema& schema) {
  json::Object out;
  out["kind"] = "APIGroupList";
  out["apiVersion"] = "v1";
  json::Array& groups = out["groups"].emplace_array();
  for (const GroupVersions& group : schema.groups()) {
    if (!group.group.empty()) groups.emplace_back(group_entry(group));
  }
  return out;
}

std::optional<json::Value> discover_group(const Schema& schema, std::string_view group) {
  if (group.empty()) return std::nullopt;
  for (const GroupVersions& candidate : schema.groups()) {
    if (candidate.group != group) continue;
    json::Object out{{"kind", "APIGroup"}, {"apiVersion", "v1"}};
    for (auto& member : group_entry(candidate)) out[member.key()] = std::move(member.value());
    return json::Value(std::move(out));
  }
  return std::nullopt;
}

std::optional<json::Value> discover_resources(const Schema& schema, std::string_view group,
                                              std::string_view version) {
  const auto kinds = kinds_of(schema, group, version);
  if (kinds.empty()) return std::nullopt;
  json::Object out;
  out["kind"] = "APIResourceList";
  // The core list has never carried a version of its own.
  if (!group.empty()) out["apiVersion"] = "v1";
  out["groupVersion"] = group_version(group, version);
  json::Array& resources = out["resources"].emplace_array();
  for (const Kind* kind : kinds) {
    resources.push_back(resource_entry(*kind));
    for (const Subresource* subresource : subresources_of(*kind)) {
      resources.push_back(subresource_entry(*kind, *subresource));
    }
  }
  return json::Value(std::move(out));
}

json::Value discover_all(const Schema& schema, DiscoveryRoot root, std::string_view version) {
  json::Object out;
  out["kind"] = "APIGroupDiscoveryList";
  out["apiVersion"] = "apidiscovery.k8s.io/" + std::string(version);
  out["metadata"].emplace_object();
  json::Array& items = out["items"].emplace_array();
  for (const GroupVersions& group : schema.groups()) {
    if (group.group.empty() == (root == DiscoveryRoot::core)) {
      items.push_back(group_discovery(schema, group));
    }
  }
  return out;
}

std::string_view discovery_media_type(std::string_view version) {
  return version == "v2"
             ? "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
             : "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
}

}  // namespace koi::api
