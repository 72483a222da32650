#include "controllers/deployment_controller.h"

#include <algorithm>
#include <utility>

#include "client/object_key.h"
#include "controllers/claims.h"
#include "controllers/deployment_sets.h"
#include "controllers/deployment_status.h"
#include "controllers/kinds.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr const char* kind_name = "Deployment";

base::Result<> tolerate_missing(const base::Error& error) {
  if (error.code == base::Code::not_found) return {};
  return base::fail(error);
}

}  // namespace

DeploymentController::DeploymentController(Context context)
    : context_(context),
      deployments_(context.informers.informer(kinds::deployments)),
      sets_(context.informers.informer(kinds::replica_sets)),
      pods_(context.informers.informer(kinds::pods)),
      events_(context.client, context.clock, context.random, context.tasks,
              "deployment-controller"),
      queue_(context.tasks, context.clock, {.name = "deployment", .workers = 5}) {
  index_for_claims(sets_);
  pods_.add_index(client::index_by_controller, client::index_controller);
  deployments_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    queue_.add(client::key_of(after != nullptr ? *after : *before));
  });
  sets_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_set(before, after); });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void DeploymentController::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void DeploymentController::on_set(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr) enqueue_owner(*before);
  if (after == nullptr) return;
  const bool same_owner =
      before != nullptr && client::controller_uid(*before) == client::controller_uid(*after);
  if (!same_owner) enqueue_owner(*after);
  if (client::controller_of(*after) != nullptr || after->is_terminating()) return;
  for (const auto& each : deployments_.list(after->name_space())) {
    const auto selector =
        api::LabelSelector::from_object(json::find(each->value(), {"spec", "selector"}));
    if (selector && selector->matches_object(after->value())) queue_.add(client::key_of(*each));
  }
}

void DeploymentController::enqueue_owner(const api::Object& set) {
  const json::Value* owner = client::controller_of(set);
  if (owner == nullptr || json::string_at(*owner, {"kind"}) != kind_name) return;
  queue_.add(client::make_key(set.name_space(), json::string_at(*owner, {"name"})));
}

// Recreate waits for the last old pod to be gone.
void DeploymentController::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before == nullptr || (after != nullptr && !is_pod_finished(*after))) return;
  const json::Value* owner = client::controller_of(*before);
  if (owner == nullptr || json::string_at(*owner, {"kind"}) != "ReplicaSet") return;
  const auto set = sets_.find(before->name_space(), json::string_at(*owner, {"name"}));
  if (set != nullptr) enqueue_owner(*set);
}

bool DeploymentController::old_pods_run(const api::Object& deployment,
                                        const std::vector<api::ObjectPtr>& sets) const {
  for (const auto& set : sets) {
    if (same_template(deployment.value(), set->value())) continue;
    const auto pods = pods_.with_index(client::index_by_controller, std::string(set->uid()));
    const bool runs = std::any_of(pods.begin(), pods.end(),
                                  [](const auto& pod) { return !is_pod_finished(*pod); });
    if (runs) return true;
  }
  return false;
}

base::Task<base::Result<>> DeploymentController::reconcile(std::string key) {
  co_await sets_.wait_synced();
  co_await pods_.wait_synced();
  const auto deployment = deployments_.find(key);
  if (deployment == nullptr) co_return base::Result<>();
  auto selector =
      api::LabelSelector::from_object(json::find(deployment->value(), {"spec", "selector"}));
  if (!selector || selector->is_everything()) {
    events_.record(*deployment, client::EventType::warning, "SelectingAll",
                   "This deployment is selecting all pods. A non-empty selector is required.");
    co_return base::Result<>();
  }
  const Claimant claimant{.resource = kinds::deployments,
                          .kind = kind_name,
                          .object = deployment,
                          .selector = std::move(*selector)};
  auto sets = co_await claim(context_, claimant, sets_);
  if (!sets) co_return base::fail(sets.error());
  DeploymentFacts facts{.deployment = *deployment, .now = context_.clock.wall_now()};
  if (!is_rolling_update(deployment->value()))
    facts.old_pods_run = old_pods_run(*deployment, *sets);
  facts.sets = std::move(*sets);
  auto plan = plan_deployment(facts);
  const auto performed = co_await perform(deployment, plan);
  if (!performed) co_return performed;
  if (plan.check_again) queue_.add_after(key, *plan.check_again - facts.now);
  co_return base::Result<>();
}

base::Task<base::Result<>> DeploymentController::perform(const api::ObjectPtr& deployment,
                                                         DeploymentPlan& plan) {
  if (plan.create) {
    const auto created = co_await create_set(deployment, plan);
    if (!created) co_return created;
  }
  for (auto& update : plan.updates) {
    const auto ref = client::ref_of(kinds::replica_sets, *update.before);
    const auto written = co_await context_.client.update(ref, std::move(update.after));
    if (!written) co_return tolerate_missing(written.error());
    sets_.absorb(*written);
    if (!update.event.empty()) {
      events_.record(*deployment, client::EventType::normal, "ScalingReplicaSet", update.event);
    }
  }
  for (const auto& set : plan.remove) {
    const client::DeleteOptions options{.precondition_uid = std::string(set->uid())};
    const auto ref = client::ref_of(kinds::replica_sets, *set);
    const auto removed = co_await context_.client.remove(ref, options);
    if (!removed && removed.error().code != base::Code::not_found) co_return removed;
  }
  const auto written = co_await write_status(deployment, std::move(plan.status));
  if (!written || plan.revision.empty()) co_return written;
  co_return co_await write_revision(deployment, plan.revision);
}

base::Task<base::Result<>> DeploymentController::create_set(const api::ObjectPtr& deployment,
                                                            DeploymentPlan& plan) {
  const client::ObjectRef ref{
      .resource = kinds::replica_sets,
      .name_space = std::string(deployment->name_space()),
      .name = std::string(json::string_at(*plan.create, {"metadata", "name"}))};
  const auto created = co_await context_.client.create(ref, *plan.create);
  if (created) {
    sets_.absorb(*created);
    if (!plan.create_event.empty()) {
      events_.record(*deployment, client::EventType::normal, "ScalingReplicaSet",
                     plan.create_event);
    }
    co_return base::Result<>();
  }
  if (created.error().code == base::Code::already_exists) {
    co_return co_await resolve_collision(deployment, *plan.create);
  }
  const auto message =
      "Failed to create new replica set \"" + ref.name + "\": " + created.error().message;
  events_.record(*deployment, client::EventType::warning, "ReplicaSetCreateError", message);
  if (has_progress_deadline(deployment->value())) {
    json::Value status = plan.status;
    auto& conditions = json::ensure_array(status, {"conditions"});
    set_condition(conditions, {"Progressing", "False", "ReplicaSetCreateError", message},
                  context_.clock.wall_now());
    const auto written = co_await write_status(deployment, std::move(status));
    if (!written) co_return written;
  }
  co_return base::fail(created.error());
}

// Another ReplicaSet has the name. Ours of an earlier attempt will be seen; a stranger's moves the
// hash on by the collision count.
base::Task<base::Result<>> DeploymentController::resolve_collision(const api::ObjectPtr& deployment,
                                                                   const json::Value& wanted) {
  const client::ObjectRef ref{.resource = kinds::replica_sets,
                              .name_space = std::string(deployment->name_space()),
                              .name = std::string(json::string_at(wanted, {"metadata", "name"}))};
  const auto existing = co_await context_.client.get(ref);
  if (!existing) co_return base::fail(existing.error());
  const bool ours = client::controller_uid(**existing) == deployment->uid() &&
                    same_template(deployment->value(), (*existing)->value());
  if (ours) {
    sets_.absorb(*existing);
    co_return base::fail(base::Code::conflict,
                         "the replica set '" + ref.name + "' was not seen yet");
  }
  const auto* current = json::find(deployment->value(), {"status"});
  json::Value status = current != nullptr ? *current : json::Value(json::Object());
  json::set(status, {"collisionCount"}, json::int_at(status, {"collisionCount"}, 0) + 1);
  const auto written = co_await write_status(deployment, std::move(status));
  if (!written) co_return written;
  co_return base::fail(base::Code::conflict, "the name '" + ref.name + "' is taken");
}

base::Task<base::Result<>> DeploymentController::write_status(const api::ObjectPtr& deployment,
                                                              json::Value status) {
  const auto* current = json::find(deployment->value(), {"status"});
  if (current != nullptr && *current == status) co_return base::Result<>();
  json::Value object = deployment->value();
  json::set(object, {"status"}, std::move(status));
  const auto ref = client::ref_of(kinds::deployments, *deployment, "status");
  const auto written = co_await context_.client.update(ref, std::move(object));
  if (!written) co_return tolerate_missing(written.error());
  deployments_.absorb(*written);
  co_return base::Result<>();
}

base::Task<base::Result<>> DeploymentController::write_revision(const api::ObjectPtr& deployment,
                                                                const std::string& revision) {
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(deployment->uid()));
  set_annotation(patch, revision_annotation, revision);
  const auto ref = client::ref_of(kinds::deployments, *deployment);
  const auto written =
      co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (!written) co_return tolerate_missing(written.error());
  deployments_.absorb(*written);
  co_return base::Result<>();
}

}  // namespace koi::controllers
