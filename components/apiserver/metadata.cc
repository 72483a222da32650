#include "apiserver/metadata.h"

#include <array>

namespace koi::apiserver {

namespace {

constexpr std::size_t generated_base_bytes_max = 58;
constexpr std::size_t generated_suffix_bytes = 5;

constexpr std::array<std::string_view, 15> metadata_order{"name",
                                                          "generateName",
                                                          "namespace",
                                                          "selfLink",
                                                          "uid",
                                                          "resourceVersion",
                                                          "generation",
                                                          "creationTimestamp",
                                                          "deletionTimestamp",
                                                          "deletionGracePeriodSeconds",
                                                          "labels",
                                                          "annotations",
                                                          "ownerReferences",
                                                          "finalizers",
                                                          "managedFields"};

void take_over(const json::Value& before, json::Value& object, std::string_view field) {
  const json::Value* old = json::find(before, {"metadata", field});
  if (old != nullptr) {
    json::set(object, {"metadata", field}, *old);
  } else {
    json::erase(object, {"metadata", field});
  }
}

bool is_same_but_metadata_and_status(const json::Value& before, const json::Value& object) {
  const auto covers = [](const json::Object& all, const json::Object& other) {
    for (const auto& member : all) {
      if (member.key() == "metadata" || member.key() == "status") continue;
      const json::Value* twin = other.if_contains(member.key());
      if (twin == nullptr || *twin != member.value()) return false;
    }
    return true;
  };
  return covers(before.as_object(), object.as_object()) &&
         covers(object.as_object(), before.as_object());
}

void move_member(json::Object& from, json::Object& to, std::string_view name) {
  const auto found = from.find(name);
  if (found == from.end()) return;
  to.emplace(name, std::move(found->value()));
  from.erase(found);
}

void move_rest(json::Object& from, json::Object& to) {
  for (auto& member : from) to.emplace(member.key(), std::move(member.value()));
}

}  // namespace

api::StatusOr<void> match_metadata(const Call& call, json::Value& object) {
  json::Object& metadata = json::ensure_object(object, {"metadata"});
  const std::string_view name = json::string_at(object, {"metadata", "name"});
  if (!call.name.empty() && name != call.name) {
    if (!name.empty()) {
      return std::unexpected(
          api::bad_request_status("the name of the object (" + std::string(name) +
                                  ") does not match the name on the URL (" + call.name + ")"));
    }
    metadata["name"] = call.name;
  }
  const std::string_view name_space = json::string_at(object, {"metadata", "namespace"});
  if (!call.resource->namespaced()) {
    metadata.erase("namespace");
  } else if (name_space.empty()) {
    metadata["namespace"] = call.name_space;
  } else if (name_space != call.name_space) {
    return std::unexpected(api::bad_request_status(
        "the namespace of the provided object does not match the namespace sent on the request"));
  }
  return {};
}

void stamp_new(const Resource& resource, base::Clock& clock, base::Random& random,
               json::Value& object) {
  json::Object& metadata = json::ensure_object(object, {"metadata"});
  for (const std::string_view field : {"deletionTimestamp", "deletionGracePeriodSeconds",
                                       "selfLink", "generation", "resourceVersion"}) {
    metadata.erase(field);
  }
  metadata["uid"] = random.uuid();
  metadata["creationTimestamp"] = base::format_time(clock.wall_now());
  if (resource.has_generation) metadata["generation"] = 1;
}

std::string generated_name(std::string_view base, base::Random& random) {
  return std::string(base.substr(0, generated_base_bytes_max)) +
         random.name_suffix(generated_suffix_bytes);
}

void keep_system_metadata(const Resource& resource, const json::Value& before,
                          json::Value& object) {
  for (const std::string_view field : {"uid", "creationTimestamp", "deletionTimestamp",
                                       "deletionGracePeriodSeconds", "generation", "selfLink"}) {
    take_over(before, object, field);
  }
  if (resource.has_generation && !is_same_but_metadata_and_status(before, object)) {
    const std::int64_t generation = json::int_at(before, {"metadata", "generation"}, 0);
    json::set(object, {"metadata", "generation"}, generation + 1);
  }
}

bool is_ready_to_go(const Resource& resource, const json::Value& object) {
  if (json::find(object, {"metadata", "deletionTimestamp"}) == nullptr) return false;
  if (!json::array_at(object, {"metadata", "finalizers"}).empty()) return false;
  if (json::int_at(object, {"metadata", "deletionGracePeriodSeconds"}, 0) != 0) return false;
  return resource.plural() != "namespaces" ||
         json::array_at(object, {"spec", "finalizers"}).empty();
}

void arrange(const Resource& resource, json::Value& object) {
  json::Object& members = object.as_object();
  json::Object out;
  out.reserve(members.size() + 2);
  out["kind"] = resource.kind->kind;
  out["apiVersion"] = resource.kind->api_version;
  members.erase("kind");
  members.erase("apiVersion");
  json::Object& metadata = out["metadata"].emplace_object();
  if (json::Value* given = members.if_contains("metadata");
      given != nullptr && given->is_object()) {
    json::Object& unordered = given->get_object();
    // A place for what only the store knows.
    unordered["resourceVersion"] = "";
    metadata.reserve(unordered.size());
    for (const std::string_view name : metadata_order) move_member(unordered, metadata, name);
    move_rest(unordered, metadata);
  }
  members.erase("metadata");
  move_rest(members, out);
  object = std::move(out);
}

}  // namespace koi::apiserver
