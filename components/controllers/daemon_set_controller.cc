#include "controllers/daemon_set_controller.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/batch.h"
#include "controllers/claims.h"
#include "controllers/kinds.h"

namespace koi::controllers {

namespace {

constexpr const char* kind_name = "DaemonSet";

bool same_for_daemons(const json::Value& left, const json::Value& right) {
  return json::object_at(left, {"metadata", "labels"}) ==
             json::object_at(right, {"metadata", "labels"}) &&
         json::array_at(left, {"spec", "taints"}) == json::array_at(right, {"spec", "taints"});
}

}  // namespace

DaemonSetController::DaemonSetController(Context context)
    : context_(context),
      sets_(context.informers.informer(kinds::daemon_sets)),
      pods_(context.informers.informer(kinds::pods)),
      nodes_(context.informers.informer(kinds::nodes)),
      events_(context.client, context.clock, context.random, context.tasks, "daemonset-controller"),
      queue_(context.tasks, context.clock, {.name = "daemonset", .workers = 2}) {
  index_for_claims(pods_);
  sets_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    queue_.add(client::key_of(after != nullptr ? *after : *before));
  });
  nodes_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    on_node(before, after);
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void DaemonSetController::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void DaemonSetController::on_node(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  const bool same =
      before != nullptr && after != nullptr && same_for_daemons(before->value(), after->value());
  if (same) return;
  for (const auto& set : sets_.list()) queue_.add(client::key_of(*set));
}

void DaemonSetController::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && (after == nullptr || after->is_terminating())) {
    deleting_.erase(std::string(before->uid()));
  }
  if (before != nullptr) enqueue_owner(*before);
  if (after != nullptr) enqueue_owner(*after);
}

void DaemonSetController::enqueue_owner(const api::Object& pod) {
  const json::Value* owner = client::controller_of(pod);
  if (owner == nullptr || json::string_at(*owner, {"kind"}) != kind_name) return;
  queue_.add(client::make_key(pod.name_space(), json::string_at(*owner, {"name"})));
}

base::Task<base::Result<>> DaemonSetController::reconcile(std::string key) {
  co_await pods_.wait_synced();
  co_await nodes_.wait_synced();
  const auto owner = sets_.find(key);
  if (owner == nullptr) co_return base::Result<>();
  if (const auto refusal = daemon_set_refusal(owner->value()); !refusal.empty()) {
    events_.record(*owner, client::EventType::warning, "Unsupported", refusal);
    co_return base::Result<>();
  }
  auto selector = api::LabelSelector::from_object(json::find(owner->value(), {"spec", "selector"}));
  if (!selector || selector->is_everything()) co_return base::Result<>();
  const Claimant claimant{.resource = kinds::daemon_sets,
                          .kind = kind_name,
                          .object = owner,
                          .selector = std::move(*selector)};
  auto mine = co_await claim(context_, claimant, pods_);
  if (!mine) co_return base::fail(mine.error());
  std::erase_if(*mine,
                [this](const auto& pod) { return deleting_.contains(std::string(pod->uid())); });
  const DaemonSetFacts facts{.daemon_set = owner->value(),
                             .nodes = nodes_.list(),
                             .pods = std::move(*mine),
                             .now = context_.clock.wall_now()};
  auto plan = plan_daemon_set(facts);
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

base::Task<base::Result<>> DaemonSetController::create_pod(const api::ObjectPtr& owner,
                                                           const std::string& node) {
  auto pod = daemon_pod(*owner, node);
  const client::ObjectRef ref{.resource = kinds::pods,
                              .name_space = std::string(owner->name_space())};
  const auto created = co_await context_.client.create(ref, std::move(pod));
  if (!created) {
    events_.record(*owner, client::EventType::warning, "FailedCreate",
                   "Error creating: " + created.error().message);
    co_return base::fail(created.error());
  }
  pods_.absorb(*created);
  events_.record(*owner, client::EventType::normal, "SuccessfulCreate",
                 "Created pod: " + std::string((*created)->name()));
  co_return base::Result<>();
}

base::Task<base::Result<>> DaemonSetController::delete_pod(const api::ObjectPtr& owner,
                                                           const api::ObjectPtr& pod) {
  const std::string uid(pod->uid());
  const client::DeleteOptions options{.precondition_uid = uid};
  deleting_.insert(uid);
  const auto removed = co_await context_.client.remove(client::ref_of(kinds::pods, *pod), options);
  if (removed) {
    events_.record(*owner, client::EventType::normal, "SuccessfulDelete",
                   "Deleted pod: " + std::string(pod->name()));
    co_return removed;
  }
  deleting_.erase(uid);
  if (removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

base::Task<base::Result<>> DaemonSetController::write_status(const api::ObjectPtr& owner,
                                                             json::Value status) {
  const auto* current = json::find(owner->value(), {"status"});
  if (current != nullptr && *current == status) co_return base::Result<>();
  json::Value object = owner->value();
  json::set(object, {"status"}, std::move(status));
  const auto ref = client::ref_of(kinds::daemon_sets, *owner, "status");
  const auto written = co_await context_.client.update(ref, std::move(object));
  if (written) sets_.absorb(*written);
  if (written || written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
