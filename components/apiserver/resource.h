#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "datastore/store.h"

namespace koi::apiserver {

// A collection that the server serves, and how its objects behave beyond what the schema says.
struct Resource {
  const api::Kind* kind = nullptr;
  std::string prefix;           // "/registry/apps/deployments/"
  std::string item_head;        // what every stored object of it begins with: kind and apiVersion
  bool has_status = false;      // written through its own subresource only
  bool has_generation = false;  // metadata.generation counts changes of the spec
  bool is_graceful = false;     // deletion first asks, then waits for the node
  bool creates_on_update = false;
  bool updates_unconditionally = true;  // a PUT needs no resourceVersion
  bool returns_deleted = false;         // a finished DELETE answers with the object
  bool is_virtual = false;              // reviews and bindings: created, never stored
  const Resource* stored_as = nullptr;  // the resource that holds its objects; null: itself

  std::string_view group() const { return kind->group; }
  std::string_view plural() const { return kind->plural; }
  bool namespaced() const { return kind->namespaced; }
  // The key of one object, and the prefix of a namespace's objects (of all when it is empty).
  std::string key(std::string_view name_space, std::string_view name) const;
  std::string collection(std::string_view name_space) const;
};

// Everything that is served. Immutable once made; any thread.
class Catalog {
 public:
  explicit Catalog(const api::Schema& schema);

  const api::Schema& schema() const { return schema_; }
  // Null where there is none.
  const Resource* find(std::string_view group, std::string_view version,
                       std::string_view plural) const;
  // By group alone, in whatever version it is stored.
  const Resource* find_any_version(std::string_view group, std::string_view plural) const;
  // In the order of the schema.
  const std::vector<std::unique_ptr<Resource>>& all() const { return resources_; }

 private:
  const api::Schema& schema_;
  std::vector<std::unique_ptr<Resource>> resources_;
  std::map<std::string, const Resource*, std::less<>> by_path_;
};

// How safe a change must be before it is acknowledged. Either object may be null.
datastore::Durability durability_of(const Resource& resource, const json::Value* before,
                                    const json::Value* after);

}  // namespace koi::apiserver
