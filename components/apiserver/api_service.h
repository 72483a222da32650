#pragma once

#include <memory>
#include <string>

#include "api/status.h"
#include "apiserver/call.h"
#include "apiserver/operations.h"
#include "auth/authenticator.h"
#include "auth/authorizer.h"

namespace koi::apiserver {

// Every resource verb, authorized: objects, subresources, reviews. What both transports call. Any
// thread; calls outlive the task they start.
class ApiService {
 public:
  struct Doors {
    Operations& operations;
    const auth::Authorizer& authorizer;
    const auth::Authenticator& authenticator;
    // Null where no tokens are issued.
    std::shared_ptr<const auth::ServiceAccountTokens> tokens;
  };

  explicit ApiService(const Doors& doors) : doors_(doors) {}

  api::StatusOr<api::ObjectPtr> get(const Call& call) const;
  api::StatusOr<ListResult> list(const Call& call, const ListQuery& query) const;
  api::StatusOr<std::unique_ptr<EventStream>> watch(const Call& call,
                                                    const WatchQuery& query) const;
  Outcome<Written> create(const Call& call, json::Value body);
  Outcome<Written> update(const Call& call, json::Value body);
  Outcome<Written> patch(const Call& call, PatchKind kind, json::Value patch);
  Outcome<Removed> remove(const Call& call, const DeleteQuery& query);
  Outcome<ListResult> remove_collection(const Call& call, const ListQuery& selection,
                                        const DeleteQuery& query);

  api::StatusOr<void> authorize(const auth::Identity& user, const auth::Access& access) const;

  const Operations& operations() const { return doors_.operations; }
  const auth::Authorizer& authorizer() const { return doors_.authorizer; }
  const auth::Authenticator& authenticator() const { return doors_.authenticator; }

 private:
  api::StatusOr<void> admit(const Call& call, std::string_view verb) const;
  Outcome<Written> create_part(const Call& call, json::Value body);
  Outcome<Written> create_virtual(const Call& call, json::Value body);

  Doors doors_;
};

}  // namespace koi::apiserver
