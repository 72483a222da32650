#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/status.h"
#include "apiserver/call.h"
#include "apiserver/service_allocator.h"
#include "auth/authorizer.h"
#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "datastore/store.h"

namespace koi::apiserver {

// A write on its way in. `before` is null for a creation.
struct Attempt {
  const Call& call;
  json::Value& object;
  const json::Value* before = nullptr;
};

// What stands between an authorized write and the store: fills in what the cluster decides, refuses
// what its present state forbids. Any thread.
class Admission {
 public:
  struct Doors {
    datastore::Store& store;
    const Catalog& catalog;
    base::Clock& clock;
    base::Random& random;
    ServiceAllocator& services;
    const auth::Authorizer& authorizer;
  };

  explicit Admission(const Doors& doors) : doors_(doors) {}

  // Before a creation or an update is checked. What it claims for the object (addresses, ports) is
  // given back unless the claim is kept.
  base::Task<api::StatusOr<ServiceClaim>> admit(const Attempt& attempt) const;
  // Before a deletion.
  api::StatusOr<void> admit_removal(const Call& call, const json::Value& object) const;
  // After an object changed for good; `after` is null when it is gone.
  void settled(const Resource& resource, const json::Value& before, const json::Value* after) const;

 private:
  api::StatusOr<void> check_namespace(const Attempt& attempt) const;
  base::Task<api::StatusOr<void>> add_service_account(const Attempt& attempt) const;
  api::StatusOr<void> add_priority(const Attempt& attempt) const;
  void add_default_class(const Attempt& attempt) const;
  void warn_if_idle(const Attempt& attempt) const;
  datastore::EntryPtr find(std::string_view group, std::string_view plural,
                           std::string_view name_space, std::string_view name) const;
  // The objects of a cluster-scoped resource.
  std::vector<api::ObjectPtr> all_of(std::string_view group, std::string_view plural) const;

  Doors doors_;
};

}  // namespace koi::apiserver
