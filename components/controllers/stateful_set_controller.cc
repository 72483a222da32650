#include "controllers/stateful_set_controller.h"

#include <algorithm>
#include <utility>

#include "client/object_key.h"
#include "controllers/batch.h"
#include "controllers/claims.h"
#include "controllers/kinds.h"

namespace koi::controllers {

namespace {

constexpr const char* kind_name = "StatefulSet";

}  // namespace

StatefulSetController::StatefulSetController(Context context)
    : context_(context),
      sets_(context.informers.informer(kinds::stateful_sets)),
      pods_(context.informers.informer(kinds::pods)),
      events_(context.client, context.clock, context.random, context.tasks,
              "statefulset-controller"),
      queue_(context.tasks, context.clock, {.name = "statefulset", .workers = 2}) {
  index_for_claims(pods_);
  sets_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    queue_.add(client::key_of(after != nullptr ? *after : *before));
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void StatefulSetController::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void StatefulSetController::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && (after == nullptr || after->is_terminating())) {
    deleting_.erase(std::string(before->uid()));
  }
  if (before != nullptr) enqueue_owner(*before);
  if (after != nullptr) enqueue_owner(*after);
}

void StatefulSetController::enqueue_owner(const api::Object& pod) {
  const json::Value* owner = client::controller_of(pod);
  if (owner == nullptr || json::string_at(*owner, {"kind"}) != kind_name) return;
  queue_.add(client::make_key(pod.name_space(), json::string_at(*owner, {"name"})));
}

base::Task<base::Result<>> StatefulSetController::reconcile(std::string key) {
  co_await pods_.wait_synced();
  const auto owner = sets_.find(key);
  if (owner == nullptr) co_return base::Result<>();
  if (const auto refusal = stateful_set_refusal(owner->value()); !refusal.empty()) {
    events_.record(*owner, client::EventType::warning, "Unsupported", refusal);
    co_return base::Result<>();
  }
  auto selector = api::LabelSelector::from_object(json::find(owner->value(), {"spec", "selector"}));
  if (!selector || selector->is_everything()) co_return base::Result<>();
  const Claimant claimant{.resource = kinds::stateful_sets,
                          .kind = kind_name,
                          .object = owner,
                          .selector = std::move(*selector)};
  auto mine = co_await claim(context_, claimant, pods_);
  if (!mine) co_return base::fail(mine.error());
  // A member that is going keeps its name taken until it is gone.
  const bool any_goes = std::any_of(mine->begin(), mine->end(), [this](const auto& pod) {
    return deleting_.contains(std::string(pod->uid()));
  });
  if (any_goes) co_return base::Result<>();
  const StatefulSetFacts facts{
      .stateful_set = owner->value(), .pods = std::move(*mine), .now = context_.clock.wall_now()};
  auto plan = plan_stateful_set(facts);
  const Action remove = [this, &owner, &plan](std::size_t index) {
    return delete_pod(owner, plan.remove[index]);
  };
  const auto removed = co_await slow_start(plan.remove.size(), remove);
  const Action create = [this, &owner, &plan](std::size_t index) {
    return create_pod(owner, plan.create[index]);
  };
  const auto created = co_await slow_start(plan.create.size(), create);
  const auto written = co_await write_status(owner, std::move(plan.status));
  if (!removed) co_return removed;
  if (!created) co_return created;
  if (plan.check_again) queue_.add_after(key, *plan.check_again - facts.now);
  co_return written;
}

base::Task<base::Result<>> StatefulSetController::create_pod(const api::ObjectPtr& owner,
                                                             std::int64_t ordinal) {
  auto pod = stateful_pod(*owner, ordinal);
  const client::ObjectRef ref{.resource = kinds::pods,
                              .name_space = std::string(owner->name_space()),
                              .name = std::string(json::string_at(pod, {"metadata", "name"}))};
  const auto created = co_await context_.client.create(ref, std::move(pod));
  if (!created) {
    events_.record(*owner, client::EventType::warning, "FailedCreate",
                   "create Pod " + ref.name + " in StatefulSet " + std::string(owner->name()) +
                       " failed error: " + created.error().message);
    co_return base::fail(created.error());
  }
  pods_.absorb(*created);
  events_.record(*owner, client::EventType::normal, "SuccessfulCreate",
                 "create Pod " + std::string((*created)->name()) + " in StatefulSet " +
                     std::string(owner->name()) + " successful");
  co_return base::Result<>();
}

base::Task<base::Result<>> StatefulSetController::delete_pod(const api::ObjectPtr& owner,
                                                             const api::ObjectPtr& pod) {
  const std::string uid(pod->uid());
  const client::DeleteOptions options{.precondition_uid = uid};
  deleting_.insert(uid);
  const auto removed = co_await context_.client.remove(client::ref_of(kinds::pods, *pod), options);
  if (removed) {
    events_.record(*owner, client::EventType::normal, "SuccessfulDelete",
                   "delete Pod " + std::string(pod->name()) + " in StatefulSet " +
                       std::string(owner->name()) + " successful");
    co_return removed;
  }
  deleting_.erase(uid);
  if (removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

base::Task<base::Result<>> StatefulSetController::write_status(const api::ObjectPtr& owner,
                                                               json::Value status) {
  const auto* current = json::find(owner->value(), {"status"});
  if (current != nullptr && *current == status) co_return base::Result<>();
  json::Value object = owner->value();
  json::set(object, {"status"}, std::move(status));
  const auto ref = client::ref_of(kinds::stateful_sets, *owner, "status");
  const auto written = co_await context_.client.update(ref, std::move(object));
  if (written) sets_.absorb(*written);
  if (written || written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
