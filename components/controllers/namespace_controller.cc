#include "controllers/namespace_controller.h"

#include <algorithm>
#include <utility>

#include "client/object_key.h"
#include "controllers/batch.h"
#include "controllers/kinds.h"

namespace koi::controllers {

namespace {

constexpr std::string_view finalizer_name = "kubernetes";
constexpr std::size_t deletions_at_once_max = 50;

bool is_held(const json::Value& object) {
  const auto& finalizers = json::array_at(object, {"spec", "finalizers"});
  return std::any_of(finalizers.begin(), finalizers.end(), [](const json::Value& each) {
    return json::string_at(each, {}) == finalizer_name;
  });
}

}  // namespace

NamespaceController::NamespaceController(Context context, Inventory& inventory)
    : context_(context),
      inventory_(inventory),
      namespaces_(context.informers.informer(kinds::namespaces)),
      queue_(context.tasks, context.clock,
             {.name = "namespace", .workers = 5, .back_off_min = std::chrono::milliseconds(50)}) {
  namespaces_.add_listener([this](const api::ObjectPtr&, const api::ObjectPtr& after) {
    if (after != nullptr && after->is_terminating()) queue_.add(std::string(after->name()));
  });
  inventory_.add_listener([this](const Inventory::Entry& entry, const api::ObjectPtr& before,
                                 const api::ObjectPtr& after) {
    if (!entry.info.namespaced) return;
    if (after == nullptr) deleting_.erase(std::string(before->uid()));
    const auto home = namespaces_.find((after != nullptr ? after : before)->name_space());
    if (home != nullptr && home->is_terminating()) queue_.add(std::string(home->name()));
  });
}

void NamespaceController::start() {
  queue_.start([this](std::string name) { return reconcile(std::move(name)); });
}

NamespaceContents NamespaceController::look(const std::string& name) const {
  NamespaceContents contents;
  for (const auto& [key, entry] : inventory_.entries()) {
    if (!entry.info.namespaced) continue;
    for (const auto& object : entry.informer->list(name)) {
      ++contents.resources[entry.info.resource.plural + "." + entry.info.resource.group];
      for (const auto& each : json::array_at(object->value(), {"metadata", "finalizers"})) {
        ++contents.finalizers[std::string(json::string_at(each, {}))];
      }
    }
  }
  return contents;
}

base::Task<base::Result<>> NamespaceController::reconcile(std::string name) {
  co_await inventory_.wait_synced();
  const auto object = namespaces_.find(name);
  if (object == nullptr || !object->is_terminating() || !is_held(object->value())) {
    co_return base::Result<>();
  }
  // 1 pods, which use the rest  2 everything else  3 make sure  4 let go.
  base::Result<> outcome;
  const auto* pods = inventory_.find("v1", "Pod");
  const bool has_pods = pods != nullptr && pods->informer->count(name) > 0;
  if (has_pods) {
    outcome = co_await delete_all(*pods, name);
  } else {
    for (const auto& [key, entry] : inventory_.entries()) {
      if (!entry.info.namespaced || entry.informer->count(name) == 0) continue;
      auto deleted = co_await delete_all(entry, name);
      if (!deleted && outcome) outcome = std::move(deleted);
    }
  }
  auto contents = look(name);
  if (!outcome) contents.failure = outcome.error().message;
  if (!contents.is_empty() || !outcome) {
    const auto reported = co_await report(object, contents);
    if (!reported) co_return reported;
    // Whatever goes next wakes this up again.
    co_return outcome;
  }
  const auto empty = co_await verify_empty(name);
  if (!empty) co_return base::fail(empty.error());
  if (!*empty) co_return base::fail(base::Code::unavailable, "content was not seen yet");
  co_return co_await finalize(object);
}

base::Task<base::Result<>> NamespaceController::delete_all(const Inventory::Entry& entry,
                                                           const std::string& name) {
  base::Result<> outcome;
  std::vector<base::Task<>> batch;
  for (const auto& object : entry.informer->list(name)) {
    const bool asked = object->is_terminating() || deleting_.contains(std::string(object->uid()));
    if (asked) continue;
    batch.push_back(delete_one(entry, object, outcome));
    if (batch.size() < deletions_at_once_max) continue;
    co_await run_all(std::exchange(batch, {}));
  }
  co_await run_all(std::move(batch));
  co_return outcome;
}

base::Task<> NamespaceController::delete_one(const Inventory::Entry& entry, api::ObjectPtr object,
                                             base::Result<>& outcome) {
  const std::string uid(object->uid());
  deleting_.insert(uid);
  const client::DeleteOptions options{.propagation_policy = "Background", .precondition_uid = uid};
  const auto ref = client::ref_of(entry.info.resource, *object);
  auto removed = co_await context_.client.remove(ref, options);
  if (removed) co_return;
  deleting_.erase(uid);
  if (removed.error().code != base::Code::not_found && outcome) outcome = std::move(removed);
}

base::Task<base::Result<bool>> NamespaceController::verify_empty(const std::string& name) {
  std::vector<client::Resource> resources;
  for (const auto& [key, entry] : inventory_.entries()) {
    if (entry.info.namespaced) resources.push_back(entry.info.resource);
  }
  const client::ListOptions options{.limit = 1};
  for (const auto& resource : resources) {
    const auto found = co_await context_.client.list(resource, name, options);
    if (!found) co_return base::fail(found.error());
    if (!found->items.empty()) co_return false;
  }
  co_return true;
}

base::Task<base::Result<>> NamespaceController::finalize(const api::ObjectPtr& object) {
  json::Value fresh = object->value();
  json::Array rest;
  for (const auto& each : json::array_at(fresh, {"spec", "finalizers"})) {
    if (json::string_at(each, {}) != finalizer_name) rest.push_back(each);
  }
  json::set(fresh, {"spec", "finalizers"}, std::move(rest));
  const auto ref = client::ref_of(kinds::namespaces, *object, "finalize");
  const auto written = co_await context_.client.update(ref, std::move(fresh));
  if (written || written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

base::Task<base::Result<>> NamespaceController::report(const api::ObjectPtr& object,
                                                       const NamespaceContents& contents) {
  auto conditions = namespace_conditions(object->value(), contents, context_.clock.wall_now());
  if (conditions == json::array_at(object->value(), {"status", "conditions"})) {
    co_return base::Result<>();
  }
  json::Value fresh = object->value();
  json::set(fresh, {"status", "phase"}, "Terminating");
  json::set(fresh, {"status", "conditions"}, std::move(conditions));
  const auto ref = client::ref_of(kinds::namespaces, *object, "status");
  const auto written = co_await context_.client.update(ref, std::move(fresh));
  if (written) namespaces_.absorb(*written);
  const bool settled = written || written.error().code == base::Code::not_found ||
                       written.error().code == base::Code::conflict;
  if (settled) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
