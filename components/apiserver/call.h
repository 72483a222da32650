#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/decode.h"
#include "api/object.h"
#include "api/status.h"
#include "apiserver/resource.h"
#include "auth/identity.h"
#include "json/value.h"

namespace koi::apiserver {

// One request on a resource, however it came: who asks, about which object, under which options.
struct Call {
  auth::Identity user;
  const Resource* resource = nullptr;
  std::string name_space{};
  std::string name{};
  std::string subresource{};
  std::string field_manager{};
  api::FieldValidation field_validation = api::FieldValidation::warn;
  // Paths that came twice in the body's text.
  std::vector<std::string> duplicate_fields{};
  bool dry_run = false;
  // Collected for the client's `Warning` headers. May be null.
  std::vector<std::string>* warnings = nullptr;

  // The kind of the body: of the subresource where there is one.
  const api::Kind& body_kind(const api::Schema& schema) const;
  // How messages name the object.
  api::ResourceName about() const { return {resource->group(), resource->plural(), name}; }
  void warn(std::string text) const {
    if (warnings != nullptr) warnings->push_back(std::move(text));
  }
};

inline const api::Kind& Call::body_kind(const api::Schema& schema) const {
  const api::Subresource* part = resource->kind->subresource(subresource);
  if (part == nullptr) return *resource->kind;
  const api::Kind* kind = schema.find(part->group, part->version, part->kind);
  return kind != nullptr ? *kind : *resource->kind;
}

enum class RevisionMatch { unset, exact, not_older_than };

struct ListQuery {
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};
  RevisionMatch match = RevisionMatch::unset;
  std::string continue_token{};
  std::int64_t limit = 0;
};

struct ListResult {
  std::vector<api::ObjectPtr> items{};
  datastore::Revision revision = 0;
  std::string continue_token{};
  std::optional<std::int64_t> remaining{};
};

struct WatchQuery {
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};
  RevisionMatch match = RevisionMatch::unset;
  std::optional<bool> send_initial_events{};
  bool allow_bookmarks = false;
  std::int64_t timeout_seconds = 0;  // 0: the server's choice
};

struct DeleteQuery {
  std::optional<std::int64_t> grace_period_seconds{};
  std::string propagation_policy{};
  std::string uid{};
  std::string resource_version{};
};

// What a write left behind.
struct Written {
  api::ObjectPtr object;
  bool created = false;
};

// What a deletion left behind: `finished` when the object is gone.
struct Removed {
  api::ObjectPtr object;
  bool finished = false;
};

}  // namespace koi::apiserver
