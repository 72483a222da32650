#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/result.h"
#include "base/task.h"

// The only road to the API. In the server process the transport is a function call into the API
// server (with the same admission and authorization), elsewhere HTTP over mutual TLS.
namespace koi::client {

// A resource collection: {"apps", "v1", "deployments"}.
struct Resource {
  std::string group{};
  std::string version{};
  std::string plural{};

  friend bool operator==(const Resource&, const Resource&) = default;
  friend auto operator<=>(const Resource&, const Resource&) = default;
};

// One object of a resource; name_space is empty for cluster-scoped ones.
struct ObjectRef {
  Resource resource{};
  std::string name_space{};
  std::string name{};
  std::string subresource{};  // "status", "scale", "binding", ...; empty for the object itself
};

struct ListOptions {
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};
  std::string continue_token{};
  std::int64_t limit = 0;  // 0: all
};

struct ObjectList {
  std::string resource_version{};
  std::string continue_token{};
  std::vector<api::ObjectPtr> items{};
};

struct WatchOptions {
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};  // exactly after this; empty: initial state first
};

enum class WatchType { added, modified, deleted, bookmark };

struct WatchEvent {
  WatchType type = WatchType::added;
  api::ObjectPtr object{};  // of a bookmark: only metadata.resourceVersion is set
};

// An open watch. Destroying it ends it.
class Watch {
 public:
  virtual ~Watch() = default;
  // The events that are ready, at least one. Fails with expired when the position was compacted,
  // unavailable when the connection ended: list again.
  virtual base::Task<base::Result<std::vector<WatchEvent>>> next() = 0;
};

enum class PatchType { json, merge, strategic_merge, apply };

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds{};
  std::string
      propagation_policy{};  // "Background", "Foreground", "Orphan"; empty: the kind's default
  std::string precondition_uid{};
  std::string precondition_resource_version{};
};

// Errors carry the code that the Status reason maps to: not_found, already_exists, conflict,
// invalid, forbidden, expired, too_large, unavailable.
class ApiClient {
 public:
  virtual ~ApiClient() = default;

  virtual base::Task<base::Result<api::ObjectPtr>> get(const ObjectRef& ref) = 0;
  // name_space empty: all namespaces.
  virtual base::Task<base::Result<ObjectList>> list(const Resource& resource,
                                                    const std::string& name_space,
                                                    const ListOptions& options) = 0;
  virtual base::Task<base::Result<std::unique_ptr<Watch>>> watch(const Resource& resource,
                                                                 const std::string& name_space,
                                                                 const WatchOptions& options) = 0;
  // The ref's name may be empty (the object carries it, or generateName).
  virtual base::Task<base::Result<api::ObjectPtr>> create(const ObjectRef& ref,
                                                          json::Value object) = 0;
  // With a resourceVersion in the object: fails with conflict unless it is the current one.
  virtual base::Task<base::Result<api::ObjectPtr>> update(const ObjectRef& ref,
                                                          json::Value object) = 0;
  virtual base::Task<base::Result<api::ObjectPtr>> patch(const ObjectRef& ref, PatchType type,
                                                         json::Value patch) = 0;
  virtual base::Task<base::Result<>> remove(const ObjectRef& ref, const DeleteOptions& options) = 0;
};

}  // namespace koi::client
