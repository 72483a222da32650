#include "apiserver/bootstrap.h"

#include "auth/bootstrap_policy.h"

namespace koi::apiserver {

namespace {

using base::Result;
using base::Task;

struct Item {
  std::string_view group;
  std::string_view version;
  std::string_view plural;
  json::Value object;
};

Call call_for(const Operations& operations, const Item& item) {
  Call call{.user = {.name = "system:apiserver", .groups = {"system:masters"}},
            .resource = operations.catalog().find(item.group, item.version, item.plural)};
  call.name_space = json::string_at(item.object, {"metadata", "namespace"});
  call.field_validation = api::FieldValidation::strict;
  return call;
}

Task<Result<>> make_if_missing(Operations& operations, Item item) {
  Call call = call_for(operations, item);
  const std::string name(json::string_at(item.object, {"metadata", "name"}));
  if (call.resource == nullptr) {
    co_return base::fail(base::Code::internal, "no resource " + std::string(item.plural));
  }
  if (operations.store().get(call.resource->key(call.name_space, name))) co_return Result<>();
  auto written = co_await operations.create(call, std::move(item.object));
  if (!written && written.error().reason != "AlreadyExists") {
    co_return base::fail(
        written.error().to_error().during("make " + std::string(item.plural) + " '" + name + "'"));
  }
  co_return Result<>();
}

json::Value named(std::string_view name) {
  json::Value object;
  json::set(object, {"metadata", "name"}, json::Value(name));
  return object;
}

Item priority_class(std::string_view name, std::int64_t value, std::string_view description) {
  json::Value object = named(name);
  json::set(object, {"value"}, json::Value(value));
  json::set(object, {"description"}, json::Value(description));
  return {"scheduling.k8s.io", "v1", "priorityclasses", std::move(object)};
}

Item kubernetes_service(const BootstrapOptions& options) {
  json::Value service = named("kubernetes");
  json::set(service, {"metadata", "namespace"}, "default");
  json::set(service, {"metadata", "labels"},
            {{"component", "apiserver"}, {"provider", "kubernetes"}});
  json::set(service, {"spec", "clusterIP"}, json::Value(options.service_address));
  json::set(service, {"spec", "type"}, "ClusterIP");
  json::Array ports;
  ports.push_back(
      {{"name", "https"}, {"protocol", "TCP"}, {"port", 443}, {"targetPort", options.port}});
  json::set(service, {"spec", "ports"}, std::move(ports));
  return {"", "v1", "services", std::move(service)};
}

Item kubernetes_endpoints(const BootstrapOptions& options) {
  json::Value slice = named("kubernetes");
  json::set(slice, {"metadata", "namespace"}, "default");
  json::set(slice, {"metadata", "labels", "kubernetes.io/service-name"}, "kubernetes");
  json::set(slice, {"addressType"}, "IPv4");
  json::Array endpoints;
  endpoints.push_back({{"addresses", json::Array{json::Value(options.advertise_address)}},
                       {"conditions", {{"ready", true}}}});
  json::set(slice, {"endpoints"}, std::move(endpoints));
  json::Array ports;
  ports.push_back({{"name", "https"}, {"protocol", "TCP"}, {"port", options.port}});
  json::set(slice, {"ports"}, std::move(ports));
  return {"discovery.k8s.io", "v1", "endpointslices", std::move(slice)};
}

// The address may be another than at the last start.
Task<Result<>> write_endpoints(Operations& operations, const BootstrapOptions& options) {
  Item item = kubernetes_endpoints(options);
  Call call = call_for(operations, item);
  call.name = "kubernetes";
  if (!operations.store().get(call.resource->key("default", "kubernetes"))) {
    co_return co_await make_if_missing(operations, std::move(item));
  }
  auto written = co_await operations.update(call, std::move(item.object));
  if (!written) co_return base::fail(written.error().to_error().during("write API endpoints"));
  co_return Result<>();
}

std::vector<Item> first_items() {
  std::vector<Item> items;
  for (const std::string_view name : {"kube-system", "default", "kube-public", "kube-node-lease"}) {
    items.push_back({"", "v1", "namespaces", named(name)});
  }
  items.push_back(
      priority_class("system-cluster-critical", 2'000'000'000,
                     "For system pods that must run in the cluster, on any node that has room."));
  items.push_back(priority_class("system-node-critical", 2'000'001'000,
                                 "For system pods that must not leave their node."));
  for (auth::BootstrapObject& object : auth::bootstrap_policy()) {
    items.push_back({"rbac.authorization.k8s.io", "v1", object.plural, std::move(object.object)});
  }
  return items;
}

Task<> make_one(Operations& operations, Item item, Result<>& first_failure) {
  auto made = co_await make_if_missing(operations, std::move(item));
  if (!made && first_failure) first_failure = std::move(made);
}

}  // namespace

Task<Result<>> make_first_objects(Operations& operations, const BootstrapOptions& options) {
  // All at once, so that they share the wait for the disk.
  base::TaskGroup tasks(co_await base::current_executor());
  Result<> outcome;
  for (Item& item : first_items()) {
    tasks.spawn("bootstrap", make_one(operations, std::move(item), outcome));
  }
  std::exception_ptr cancelled;
  try {
    co_await tasks.wait_idle();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) {
    co_await tasks.stop();
    std::rethrow_exception(cancelled);
  }
  if (!outcome) co_return outcome;
  auto service = co_await make_if_missing(operations, kubernetes_service(options));
  if (!service || options.advertise_address.empty()) co_return service;
  co_return co_await write_endpoints(operations, options);
}

}  // namespace koi::apiserver
