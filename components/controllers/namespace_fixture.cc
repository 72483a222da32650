#include "controllers/namespace_fixture.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/kinds.h"

namespace koi::controllers {

Fixture default_service_account() {
  json::Value object = json::Object{{"apiVersion", "v1"}, {"kind", "ServiceAccount"}};
  json::set(object, {"metadata", "name"}, "default");
  return {.resource = kinds::service_accounts, .name = "default", .object = std::move(object)};
}

Fixture root_ca_config_map(const std::string& ca_pem) {
  constexpr const char* name = "kube-root-ca.crt";
  json::Value object = json::Object{{"apiVersion", "v1"}, {"kind", "ConfigMap"}};
  json::set(object, {"metadata", "name"}, name);
  json::set(object, {"metadata", "annotations", "kubernetes.io/description"},
            "Contains the CA certificate that verifies the API server at its addresses inside the "
            "cluster, such as kubernetes.default.svc.");
  json::set(object, {"data", "ca.crt"}, client::text(ca_pem));
  return {.resource = kinds::config_maps,
          .name = name,
          .object = std::move(object),
          .guarded = {"data"}};
}

NamespaceFixture::NamespaceFixture(Context context, Fixture fixture)
    : context_(context),
      fixture_(std::move(fixture)),
      namespaces_(context.informers.informer(kinds::namespaces)),
      objects_(context.informers.informer(fixture_.resource)),
      queue_(context.tasks, context.clock, {.name = "fixture/" + fixture_.name, .workers = 2}) {
  namespaces_.add_listener([this](const api::ObjectPtr&, const api::ObjectPtr& after) {
    if (after != nullptr) queue_.add(std::string(after->name()));
  });
  objects_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    const api::Object& object = after != nullptr ? *after : *before;
    const bool changed = before != nullptr && object.name() == fixture_.name;
    if (changed) queue_.add(std::string(object.name_space()));
  });
}

void NamespaceFixture::start() {
  queue_.start([this](std::string name_space) { return reconcile(std::move(name_space)); });
}

base::Task<base::Result<>> NamespaceFixture::reconcile(std::string name_space) {
  co_await objects_.wait_synced();
  const auto home = namespaces_.find(name_space);
  if (home == nullptr || home->is_terminating()) co_return base::Result<>();
  const auto current = objects_.find(name_space, fixture_.name);
  if (current == nullptr) co_return co_await create(name_space);
  for (const auto& member : fixture_.guarded) {
    const auto* wanted = json::find(fixture_.object, {member});
    const auto* found = json::find(current->value(), {member});
    const bool same = found != nullptr && wanted != nullptr && *found == *wanted;
    if (!same) co_return co_await repair(current);
  }
  co_return base::Result<>();
}

base::Task<base::Result<>> NamespaceFixture::create(const std::string& name_space) {
  json::Value object = fixture_.object;
  json::set(object, {"metadata", "namespace"}, client::text(name_space));
  const client::ObjectRef ref{
      .resource = fixture_.resource, .name_space = name_space, .name = fixture_.name};
  const auto created = co_await context_.client.create(ref, std::move(object));
  if (created) {
    objects_.absorb(*created);
    co_return base::Result<>();
  }
  const auto code = created.error().code;
  const bool settled = code == base::Code::already_exists || code == base::Code::not_found;
  if (settled) co_return base::Result<>();
  co_return base::fail(created.error());
}

base::Task<base::Result<>> NamespaceFixture::repair(const api::ObjectPtr& current) {
  json::Value object = current->value();
  for (const auto& member : fixture_.guarded) {
    json::set(object, {member}, *json::find(fixture_.object, {member}));
  }
  const auto ref = client::ref_of(fixture_.resource, *current);
  const auto written = co_await context_.client.update(ref, std::move(object));
  if (written) objects_.absorb(*written);
  if (written || written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
