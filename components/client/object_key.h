#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/object.h"
#include "client/api_client.h"

// How objects are called in caches and queues.
namespace koi::client {

// A JSON string.
inline json::Value text(std::string_view characters) {
  return json::Value(boost::json::string_view(characters.data(), characters.size()));
}

// "namespace/name", or "name" of a cluster-scoped object.
std::string make_key(std::string_view name_space, std::string_view name);
std::string key_of(const api::Object& object);

struct KeyParts {
  std::string name_space{};  // empty for a cluster-scoped object
  std::string name{};
};
KeyParts split_key(std::string_view key);

ObjectRef ref_of(const Resource& resource, const api::Object& object,
                 std::string subresource = std::string());
ObjectRef ref_of(const Resource& resource, std::string_view key,
                 std::string subresource = std::string());

// The resourceVersion as the number it is; 0 where it is none.
std::uint64_t parse_revision(std::string_view resource_version);
std::uint64_t revision_of(const api::Object& object);

// The owner reference with controller: true, or null.
const json::Value* controller_of(const api::Object& object);
// The uid of the controlling owner; empty where there is none.
std::string_view controller_uid(const api::Object& object);

}  // namespace koi::client
