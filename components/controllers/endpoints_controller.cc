#include "controllers/endpoints_controller.h"

#include <utility>

#include "api/selectors.h"
#include "client/object_key.h"
#include "controllers/kinds.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr const char* index_by_service = "managed slices by service";
constexpr const char* slice_manager = "endpointslice-controller.k8s.io";

const json::Object& selector_of(const api::Object& service) {
  return json::object_at(service.value(), {"spec", "selector"});
}

void index_service(const api::Object& slice, std::vector<std::string>& values) {
  const auto& value = slice.value();
  const auto manager =
      json::string_at(value, {"metadata", "labels", "endpointslice.kubernetes.io/managed-by"});
  if (manager != slice_manager) return;
  const auto service = json::string_at(value, {"metadata", "labels", "kubernetes.io/service-name"});
  values.push_back(client::make_key(slice.name_space(), service));
}

// Whether an update of a pod can change any endpoint.
bool same_endpoint(const api::Object& before, const api::Object& after) {
  const auto same = [&](json::Path path) {
    const auto* left = json::find(before.value(), path);
    const auto* right = json::find(after.value(), path);
    if (left == nullptr || right == nullptr) return left == right;
    return *left == *right;
  };
  return before.uid() == after.uid() && before.is_terminating() == after.is_terminating() &&
         is_pod_ready(before) == is_pod_ready(after) &&
         is_pod_finished(before) == is_pod_finished(after) && same({"status", "podIPs"}) &&
         same({"status", "podIP"}) && same({"metadata", "labels"}) && same({"spec", "nodeName"});
}

base::Result<> settled(const base::Result<api::ObjectPtr>& written) {
  if (written || written.error().code == base::Code::not_found) return {};
  return base::fail(written.error());
}

}  // namespace

EndpointsController::EndpointsController(Context context)
    : context_(context),
      services_(context.informers.informer(kinds::services)),
      pods_(context.informers.informer(kinds::pods)),
      endpoints_(context.informers.informer(kinds::endpoints)),
      slices_(context.informers.informer(kinds::endpoint_slices)),
      queue_(context.tasks, context.clock, {.name = "endpoints", .workers = 5}) {
  slices_.add_index(index_by_service, index_service);
  services_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    queue_.add(client::key_of(after != nullptr ? *after : *before));
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
  slices_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    std::vector<std::string> services;
    if (before != nullptr) index_service(*before, services);
    for (auto& key : services) {
      if (after == nullptr || services_.find(key) != nullptr) queue_.add(std::move(key));
    }
  });
  endpoints_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    if (after == nullptr) queue_.add(client::key_of(*before));
  });
}

void EndpointsController::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void EndpointsController::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && after != nullptr && same_endpoint(*before, *after)) return;
  if (before != nullptr) enqueue_matching(*before);
  if (after != nullptr) enqueue_matching(*after);
}

void EndpointsController::enqueue_matching(const api::Object& pod) {
  for (const auto& service : services_.list(pod.name_space())) {
    const auto& selector = selector_of(*service);
    if (selector.empty()) continue;
    if (api::LabelSelector::from_map(selector).matches_object(pod.value())) {
      queue_.add(client::key_of(*service));
    }
  }
}

base::Task<base::Result<>> EndpointsController::reconcile(std::string key) {
  co_await pods_.wait_synced();
  co_await endpoints_.wait_synced();
  co_await slices_.wait_synced();
  const auto service = services_.find(key);
  if (service == nullptr) co_return co_await clean_up(key);
  const bool external = json::string_at(service->value(), {"spec", "type"}) == "ExternalName";
  if (selector_of(*service).empty() || external) co_return base::Result<>();
  if (service->is_terminating()) co_return base::Result<>();
  const auto selector = api::LabelSelector::from_map(selector_of(*service));
  EndpointsFacts facts{.service = *service};
  for (auto& pod : pods_.list(service->name_space())) {
    if (selector.matches_object(pod->value())) facts.pods.push_back(std::move(pod));
  }
  auto plan = plan_slices(build_slices(facts), slices_.with_index(index_by_service, key));
  const auto written = co_await write_slices(*service, std::move(plan));
  if (!written) co_return written;
  co_return co_await write_endpoints(key, build_endpoints(facts));
}

base::Task<base::Result<>> EndpointsController::write_endpoints(const std::string& key,
                                                                json::Value wanted) {
  const auto ref = client::ref_of(kinds::endpoints, key);
  const auto current = endpoints_.find(key);
  base::Result<api::ObjectPtr> written;
  if (current == nullptr) {
    written = co_await context_.client.create(ref, std::move(wanted));
    const bool late = !written && (written.error().code == base::Code::already_exists ||
                                   written.error().code == base::Code::forbidden);
    if (late) co_return base::Result<>();
  } else {
    json::Value fresh = current->value();
    json::set(fresh, {"metadata", "labels"}, *json::find(wanted, {"metadata", "labels"}));
    json::erase(fresh, {"subsets"});
    if (const auto* subsets = json::find(wanted, {"subsets"})) {
      json::set(fresh, {"subsets"}, *subsets);
    }
    if (fresh == current->value()) co_return base::Result<>();
    written = co_await context_.client.update(ref, std::move(fresh));
  }
  if (written) endpoints_.absorb(*written);
  co_return settled(written);
}

base::Task<base::Result<>> EndpointsController::write_slices(const api::Object& service,
                                                             SlicesPlan plan) {
  const client::ObjectRef fresh{.resource = kinds::endpoint_slices,
                                .name_space = std::string(service.name_space())};
  for (auto& slice : plan.update) {
    client::ObjectRef ref = fresh;
    ref.name = json::string_at(slice, {"metadata", "name"});
    const auto written = co_await context_.client.update(ref, std::move(slice));
    if (written) slices_.absorb(*written);
    if (auto one = settled(written); !one) co_return one;
  }
  for (auto& slice : plan.create) {
    const auto written = co_await context_.client.create(fresh, std::move(slice));
    if (written) slices_.absorb(*written);
    // A namespace on its way out takes no more.
    if (!written && written.error().code == base::Code::forbidden) co_return base::Result<>();
    if (auto one = settled(written); !one) co_return one;
  }
  for (const auto& slice : plan.remove) {
    const client::DeleteOptions options{.precondition_uid = std::string(slice->uid())};
    const auto ref = client::ref_of(kinds::endpoint_slices, *slice);
    const auto removed = co_await context_.client.remove(ref, options);
    if (!removed && removed.error().code != base::Code::not_found) co_return removed;
  }
  co_return base::Result<>();
}

// Endpoints carry the name of their Service and no owner, so nobody else removes them.
base::Task<base::Result<>> EndpointsController::clean_up(const std::string& key) {
  const auto current = endpoints_.find(key);
  if (current == nullptr) co_return base::Result<>();
  const auto manager = json::string_at(
      current->value(), {"metadata", "labels", "endpoints.kubernetes.io/managed-by"});
  if (manager != "endpoint-controller") co_return base::Result<>();
  const client::DeleteOptions options{.precondition_uid = std::string(current->uid())};
  const auto ref = client::ref_of(kinds::endpoints, key);
  const auto removed = co_await context_.client.remove(ref, options);
  if (removed || removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

}  // namespace koi::controllers
