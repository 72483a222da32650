#include "client/object_key.h"

#include <charconv>

namespace koi::client {

std::string make_key(std::string_view name_space, std::string_view name) {
  std::string key;
  key.reserve(name_space.size() + name.size() + 1);
  if (!name_space.empty()) key.append(name_space).append("/");
  key.append(name);
  return key;
}

std::string key_of(const api::Object& object) {
  return make_key(object.name_space(), object.name());
}

KeyParts split_key(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos) return {.name_space = {}, .name = std::string(key)};
  return {.name_space = std::string(key.substr(0, slash)),
          .name = std::string(key.substr(slash + 1))};
}

ObjectRef ref_of(const Resource& resource, const api::Object& object, std::string subresource) {
  return {.resource = resource,
          .name_space = std::string(object.name_space()),
          .name = std::string(object.name()),
          .subresource = std::move(subresource)};
}

ObjectRef ref_of(const Resource& resource, std::string_view key, std::string subresource) {
  auto parts = split_key(key);
  return {.resource = resource,
          .name_space = std::move(parts.name_space),
          .name = std::move(parts.name),
          .subresource = std::move(subresource)};
}

std::uint64_t parse_revision(std::string_view resource_version) {
  std::uint64_t revision = 0;
  const char* end = resource_version.data() + resource_version.size();
  const auto [at, error] = std::from_chars(resource_version.data(), end, revision);
  return error == std::errc{} && at == end ? revision : 0;
}

std::uint64_t revision_of(const api::Object& object) {
  return parse_revision(object.resource_version());
}

const json::Value* controller_of(const api::Object& object) {
  for (const auto& owner : json::array_at(object.value(), {"metadata", "ownerReferences"})) {
    if (json::bool_at(owner, {"controller"})) return &owner;
  }
  return nullptr;
}

std::string_view controller_uid(const api::Object& object) {
  const json::Value* owner = controller_of(object);
  return owner != nullptr ? json::string_at(*owner, {"uid"}) : std::string_view();
}

}  // namespace koi::client
