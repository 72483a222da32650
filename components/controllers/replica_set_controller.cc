#include "controllers/replica_set_controller.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/batch.h"
#include "controllers/claims.h"
#include "controllers/kinds.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr const char* kind_name = "ReplicaSet";

bool is_namespace_ending(const base::Error& error) {
  return error.code == base::Code::forbidden &&
         error.message.find("being terminated") != std::string::npos;
}

}  // namespace

ReplicaSetController::ReplicaSetController(Context context)
    : context_(context),
      replica_sets_(context.informers.informer(kinds::replica_sets)),
      pods_(context.informers.informer(kinds::pods)),
      events_(context.client, context.clock, context.random, context.tasks,
              "replicaset-controller"),
      queue_(context.tasks, context.clock, {.name = "replicaset", .workers = 5}) {
  index_for_claims(pods_);
  replica_sets_.add_index(client::index_by_controller, client::index_controller);
  replica_sets_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    queue_.add(client::key_of(after != nullptr ? *after : *before));
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void ReplicaSetController::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void ReplicaSetController::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && (after == nullptr || after->is_terminating())) {
    deleting_.erase(std::string(before->uid()));
  }
  if (before != nullptr) enqueue_owner(*before);
  if (after == nullptr) return;
  const bool same_owner =
      before != nullptr && client::controller_uid(*before) == client::controller_uid(*after);
  if (!same_owner) enqueue_owner(*after);
  if (client::controller_of(*after) != nullptr || after->is_terminating()) return;
  // An orphan: whoever selects it may adopt it.
  for (const auto& each : replica_sets_.list(after->name_space())) {
    const auto selector =
        api::LabelSelector::from_object(json::find(each->value(), {"spec", "selector"}));
    if (selector && selector->matches_object(after->value())) queue_.add(client::key_of(*each));
  }
}

void ReplicaSetController::enqueue_owner(const api::Object& pod) {
  const json::Value* owner = client::controller_of(pod);
  if (owner == nullptr || json::string_at(*owner, {"kind"}) != kind_name) return;
  queue_.add(client::make_key(pod.name_space(), json::string_at(*owner, {"name"})));
}

std::vector<api::ObjectPtr> ReplicaSetController::related_pods(const api::Object& owner) const {
  const std::string grand_owner(client::controller_uid(owner));
  if (grand_owner.empty()) {
    return pods_.with_index(client::index_by_controller, std::string(owner.uid()));
  }
  std::vector<api::ObjectPtr> related;
  for (const auto& sibling : replica_sets_.with_index(client::index_by_controller, grand_owner)) {
    const auto pods = pods_.with_index(client::index_by_controller, std::string(sibling->uid()));
    related.insert(related.end(), pods.begin(), pods.end());
  }
  return related;
}

base::Task<base::Result<>> ReplicaSetController::reconcile(std::string key) {
  co_await pods_.wait_synced();
  const auto owner = replica_sets_.find(key);
  if (owner == nullptr) co_return base::Result<>();
  auto selector = api::LabelSelector::from_object(json::find(owner->value(), {"spec", "selector"}));
  if (!selector) co_return base::Result<>();
  const Claimant claimant{.resource = kinds::replica_sets,
                          .kind = kind_name,
                          .object = owner,
                          .selector = std::move(*selector)};
  const auto mine = co_await claim(context_, claimant, pods_);
  if (!mine) co_return base::fail(mine.error());
  ReplicaSetFacts facts{.replica_set = owner->value(), .now = context_.clock.wall_now()};
  for (const auto& pod : *mine) {
    const bool going = deleting_.contains(std::string(pod->uid()));
    if (is_pod_active(*pod) && !going) facts.pods.push_back(pod);
  }
  facts.related = related_pods(*owner);
  auto plan = plan_replica_set(facts);
  const auto failure = co_await perform(owner, std::move(plan));
  auto status = replica_set_status(facts, failure);
  const auto written = co_await write_status(owner, std::move(status));
  if (!written) co_return written;
  if (failure) co_return base::fail(base::Code::unavailable, failure->message);
  const std::chrono::seconds min_ready(
      json::int_at(owner->value(), {"spec", "minReadySeconds"}, 0));
  if (const auto next = next_availability(facts.pods, min_ready, facts.now)) {
    queue_.add_after(key, *next - facts.now);
  }
  co_return base::Result<>();
}

base::Task<std::optional<ReplicaFailure>> ReplicaSetController::perform(const api::ObjectPtr& owner,
                                                                        ReplicaSetPlan plan) {
  const Action create = [this, &owner](std::size_t) { return create_pod(owner); };
  const auto created = co_await slow_start(plan.create, create);
  if (!created && !is_namespace_ending(created.error())) {
    co_return ReplicaFailure{.reason = "FailedCreate", .message = created.error().message};
  }
  const Action remove = [this, &owner, &plan](std::size_t index) {
    return delete_pod(owner, plan.remove[index]);
  };
  const auto removed = co_await slow_start(plan.remove.size(), remove);
  if (!removed) {
    co_return ReplicaFailure{.reason = "FailedDelete", .message = removed.error().message};
  }
  co_return std::nullopt;
}

base::Task<base::Result<>> ReplicaSetController::create_pod(const api::ObjectPtr& owner) {
  const auto* pod_template = json::find(owner->value(), {"spec", "template"});
  const json::Value none = json::Object();
  const auto reference = controller_reference(*owner, "apps/v1", kind_name);
  auto pod = pod_from_template(pod_template != nullptr ? *pod_template : none, reference,
                               owner->name_space(), owner->name());
  const client::ObjectRef ref{.resource = kinds::pods,
                              .name_space = std::string(owner->name_space())};
  const auto created = co_await context_.client.create(ref, std::move(pod));
  if (created) {
    pods_.absorb(*created);
    events_.record(*owner, client::EventType::normal, "SuccessfulCreate",
                   "Created pod: " + std::string((*created)->name()));
    co_return base::Result<>();
  }
  if (!is_namespace_ending(created.error())) {
    events_.record(*owner, client::EventType::warning, "FailedCreate",
                   "Error creating: " + created.error().message);
  }
  co_return base::fail(created.error());
}

base::Task<base::Result<>> ReplicaSetController::delete_pod(const api::ObjectPtr& owner,
                                                            const api::ObjectPtr& pod) {
  const std::string uid(pod->uid());
  deleting_.insert(uid);
  const auto ref = client::ref_of(kinds::pods, *pod);
  const client::DeleteOptions options{.precondition_uid = uid};
  const auto removed = co_await context_.client.remove(ref, options);
  if (removed) {
    events_.record(*owner, client::EventType::normal, "SuccessfulDelete",
                   "Deleted pod: " + std::string(pod->name()));
    co_return removed;
  }
  deleting_.erase(uid);
  if (removed.error().code == base::Code::not_found) co_return base::Result<>();
  events_.record(*owner, client::EventType::warning, "FailedDelete",
                 "Error deleting: " + removed.error().message);
  co_return removed;
}

base::Task<base::Result<>> ReplicaSetController::write_status(const api::ObjectPtr& owner,
                                                              json::Value status) {
  const auto* current = json::find(owner->value(), {"status"});
  if (current != nullptr && *current == status) co_return base::Result<>();
  json::Value object = owner->value();
  json::set(object, {"status"}, std::move(status));
  const auto ref = client::ref_of(kinds::replica_sets, *owner, "status");
  const auto written = co_await context_.client.update(ref, std::move(object));
  if (written) {
    replica_sets_.absorb(*written);
    co_return base::Result<>();
  }
  if (written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
