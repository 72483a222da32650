#pragma once

#include "apiserver/resource.h"
#include "auth/authorizer.h"
#include "base/task.h"
#include "datastore/store.h"

namespace koi::apiserver {

// Keeps the authorizer's roles as the store has them. Owned by the server; one executor.
class RbacRefresh {
 public:
  RbacRefresh(datastore::Store& store, const Catalog& catalog, auth::Authorizer& authorizer);

  // Compiles what the store holds now.
  void rebuild();
  // Follows the store for as long as it runs.
  void start(base::TaskGroup& tasks);

 private:
  static base::Task<> follow(RbacRefresh& self, std::string prefix, datastore::Revision since);
  std::vector<api::ObjectPtr> all_of(std::string_view plural) const;

  datastore::Store& store_;
  const Catalog& catalog_;
  auth::Authorizer& authorizer_;
};

}  // namespace koi::apiserver
