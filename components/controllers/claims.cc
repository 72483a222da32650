#include "controllers/claims.h"

#include <algorithm>

#include "client/object_key.h"
#include "client/resource_catalog.h"
#include "controllers/owner.h"

namespace koi::controllers {

namespace {

base::Task<base::Result<>> verify_alive(Context& context, const Claimant& claimant) {
  const auto ref = client::ref_of(claimant.resource, *claimant.object);
  const auto live = co_await context.client.get(ref);
  if (!live) co_return base::fail(live.error());
  if ((*live)->uid() != claimant.object->uid() || (*live)->is_terminating()) {
    co_return base::fail(base::Code::conflict,
                         "original '" + client::key_of(*claimant.object) + "' is gone");
  }
  co_return base::Result<>();
}

json::Value owners_patch(const api::Object& child, json::Array owners) {
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(child.uid()));
  json::set(patch, {"metadata", "resourceVersion"}, client::text(child.resource_version()));
  json::set(patch, {"metadata", "ownerReferences"}, std::move(owners));
  return patch;
}

base::Task<base::Result<api::ObjectPtr>> write_owners(Context& context, client::Informer& children,
                                                      const api::ObjectPtr& child,
                                                      json::Array owners) {
  auto patch = owners_patch(*child, std::move(owners));
  const auto ref = client::ref_of(children.scope().resource, *child);
  auto written = co_await context.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written) children.absorb(*written);
  co_return written;
}

}  // namespace

ClaimPlan plan_claims(const Claimant& claimant, const std::vector<api::ObjectPtr>& candidates) {
  ClaimPlan plan;
  for (const auto& child : candidates) {
    const bool matches = claimant.selector.matches_object(child->value());
    const auto controller = client::controller_uid(*child);
    if (controller == claimant.object->uid()) {
      if (matches) {
        plan.mine.push_back(child);
      } else if (!claimant.object->is_terminating()) {
        plan.release.push_back(child);
      }
      continue;
    }
    const bool wanted = matches && !child->is_terminating() && !claimant.object->is_terminating();
    if (controller.empty() && wanted) plan.adopt.push_back(child);
  }
  return plan;
}

base::Task<base::Result<std::vector<api::ObjectPtr>>> claim(Context& context,
                                                            const Claimant& claimant,
                                                            client::Informer& children) {
  auto candidates =
      children.with_index(client::index_by_controller, std::string(claimant.object->uid()));
  const auto orphans =
      children.with_index(client::index_orphans, std::string(claimant.object->name_space()));
  candidates.insert(candidates.end(), orphans.begin(), orphans.end());
  auto plan = plan_claims(claimant, candidates);
  if (!plan.adopt.empty()) {
    const auto alive = co_await verify_alive(context, claimant);
    if (!alive) co_return base::fail(alive.error());
  }
  for (const auto& child : plan.adopt) {
    json::Array owners = json::array_at(child->value(), {"metadata", "ownerReferences"});
    owners.push_back(controller_reference(
        *claimant.object, client::api_version_of(claimant.resource), claimant.kind));
    auto adopted = co_await write_owners(context, children, child, std::move(owners));
    if (adopted) {
      plan.mine.push_back(std::move(*adopted));
    } else if (adopted.error().code != base::Code::not_found) {
      co_return base::fail(std::move(adopted).error().during("adopt"));
    }
  }
  for (const auto& child : plan.release) {
    json::Array owners;
    for (const auto& owner : json::array_at(child->value(), {"metadata", "ownerReferences"})) {
      if (json::string_at(owner, {"uid"}) != claimant.object->uid()) owners.push_back(owner);
    }
    auto released = co_await write_owners(context, children, child, std::move(owners));
    if (!released && released.error().code != base::Code::not_found) {
      co_return base::fail(std::move(released).error().during("release"));
    }
  }
  co_return std::move(plan.mine);
}

void index_for_claims(client::Informer& children) {
  children.add_index(client::index_by_controller, client::index_controller);
  children.add_index(client::index_orphans, client::index_orphan);
}

}  // namespace koi::controllers
