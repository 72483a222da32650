#include "apiserver/rbac_refresh.h"

namespace koi::apiserver {

namespace {

constexpr std::string_view group = "rbac.authorization.k8s.io";
constexpr std::string_view plurals[] = {"roles", "clusterroles", "rolebindings",
                                        "clusterrolebindings"};

}  // namespace

RbacRefresh::RbacRefresh(datastore::Store& store, const Catalog& catalog,
                         auth::Authorizer& authorizer)
    : store_(store), catalog_(catalog), authorizer_(authorizer) {}

std::vector<api::ObjectPtr> RbacRefresh::all_of(std::string_view plural) const {
  std::vector<api::ObjectPtr> out;
  const Resource* resource = catalog_.find_any_version(group, plural);
  if (resource == nullptr) return out;
  const auto range = store_.range(resource->prefix, {});
  if (!range) return out;
  for (const auto& entry : range->entries) out.push_back(entry->object);
  return out;
}

void RbacRefresh::rebuild() {
  auth::RbacSnapshot::Sources sources;
  sources.roles = all_of("roles");
  sources.cluster_roles = all_of("clusterroles");
  sources.role_bindings = all_of("rolebindings");
  sources.cluster_role_bindings = all_of("clusterrolebindings");
  authorizer_.publish(std::make_shared<const auth::RbacSnapshot>(sources));
}

void RbacRefresh::start(base::TaskGroup& tasks) {
  const datastore::Revision now = store_.current_revision();
  rebuild();
  for (const std::string_view plural : plurals) {
    const Resource* resource = catalog_.find_any_version(group, plural);
    if (resource == nullptr) continue;
    tasks.spawn("rbac." + std::string(plural), follow(*this, resource->prefix, now));
  }
}

base::Task<> RbacRefresh::follow(RbacRefresh& self, std::string prefix, datastore::Revision since) {
  for (;;) {
    auto watcher = self.store_.watch(prefix, since);
    if (!watcher) {
      // Too far behind: what is there now is all that counts.
      since = self.store_.current_revision();
      self.rebuild();
      co_await base::yield_now();
      continue;
    }
    for (;;) {
      auto events = co_await (*watcher)->next();
      if (!events) break;
      if (!events->empty()) self.rebuild();
    }
    since = self.store_.current_revision();
    self.rebuild();
  }
}

}  // namespace koi::apiserver
