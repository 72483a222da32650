#include "controllers/job_controller.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/batch.h"
#include "controllers/collection_plan.h"
#include "controllers/kinds.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr const char* kind_name = "Job";
constexpr const char* own_name = "kubernetes.io/job-controller";

base::Result<> settled(const base::Result<api::ObjectPtr>& written) {
  if (written || written.error().code == base::Code::not_found) return {};
  return base::fail(written.error());
}

}  // namespace

JobController::JobController(Context context)
    : context_(context),
      jobs_(context.informers.informer(kinds::jobs)),
      pods_(context.informers.informer(kinds::pods)),
      events_(context.client, context.clock, context.random, context.tasks, "job-controller"),
      queue_(context.tasks, context.clock, {.name = "job", .workers = 5}) {
  pods_.add_index(client::index_by_controller, client::index_controller);
  jobs_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    queue_.add(client::key_of(after != nullptr ? *after : *before));
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void JobController::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void JobController::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && (after == nullptr || after->is_terminating())) {
    deleting_.erase(std::string(before->uid()));
  }
  const api::Object& pod = after != nullptr ? *after : *before;
  enqueue_owner(pod);
  // A Job that is gone can count no more; its pods must not wait for it.
  const bool held = after != nullptr && has_finalizer(after->value(), job_tracking_finalizer) &&
                    (after->is_terminating() || client::controller_of(*after) == nullptr);
  if (held) queue_.add("pod:" + client::key_of(*after));
}

void JobController::enqueue_owner(const api::Object& pod) {
  const json::Value* owner = client::controller_of(pod);
  if (owner == nullptr || json::string_at(*owner, {"kind"}) != kind_name) return;
  queue_.add(client::make_key(pod.name_space(), json::string_at(*owner, {"name"})));
}

base::Task<base::Result<>> JobController::reconcile(std::string key) {
  co_await jobs_.wait_synced();
  co_await pods_.wait_synced();
  if (key.starts_with("pod:")) {
    const auto pod = pods_.find(std::string_view(key).substr(4));
    if (pod == nullptr) co_return base::Result<>();
    const auto* owner = client::controller_of(*pod);
    const auto job = owner == nullptr
                         ? nullptr
                         : jobs_.find(pod->name_space(), json::string_at(*owner, {"name"}));
    const bool orphan = job == nullptr || job->uid() != client::controller_uid(*pod);
    if (orphan) co_return co_await untrack(pod);
    co_return base::Result<>();
  }
  const auto job = jobs_.find(key);
  if (job == nullptr) co_return base::Result<>();
  const auto manager = json::string_at(job->value(), {"spec", "managedBy"});
  if (!manager.empty() && manager != own_name) co_return base::Result<>();
  if (const auto refusal = job_refusal(job->value()); !refusal.empty()) {
    events_.record(*job, client::EventType::warning, "Unsupported", refusal);
    co_return base::Result<>();
  }
  JobFacts facts{.job = job->value(), .now = context_.clock.wall_now()};
  for (auto& pod : pods_.with_index(client::index_by_controller, std::string(job->uid()))) {
    if (!deleting_.contains(std::string(pod->uid()))) facts.pods.push_back(std::move(pod));
  }
  auto plan = plan_job(facts);
  const auto performed = co_await perform(job, plan);
  if (!performed) co_return performed;
  if (plan.check_again) queue_.add_after(key, *plan.check_again - facts.now);
  co_return base::Result<>();
}

base::Task<base::Result<>> JobController::perform(const api::ObjectPtr& job, JobPlan& plan) {
  if (plan.remove_job) {
    const client::DeleteOptions options{.propagation_policy = "Foreground",
                                        .precondition_uid = std::string(job->uid())};
    const auto removed =
        co_await context_.client.remove(client::ref_of(kinds::jobs, *job), options);
    if (removed || removed.error().code == base::Code::not_found) co_return base::Result<>();
    co_return removed;
  }
  // The uids are in the status before the finalizers go: a crash in between counts nothing twice.
  const auto written = co_await write_status(job, plan);
  if (!written) co_return written;
  const Action untrack_one = [this, &plan](std::size_t index) {
    return untrack(plan.untrack[index]);
  };
  const auto untracked = co_await slow_start(plan.untrack.size(), untrack_one);
  if (!untracked) co_return untracked;
  const Action remove = [this, &job, &plan](std::size_t index) {
    return delete_pod(job, plan.remove[index]);
  };
  const auto removed = co_await slow_start(plan.remove.size(), remove);
  if (!removed) co_return removed;
  const Action create = [this, &job](std::size_t) { return create_pod(job); };
  co_return co_await slow_start(plan.create, create);
}

base::Task<base::Result<>> JobController::create_pod(const api::ObjectPtr& job) {
  const auto* pod_template = json::find(job->value(), {"spec", "template"});
  const json::Value none = json::Object();
  const auto reference = controller_reference(*job, "batch/v1", kind_name);
  auto pod = pod_from_template(pod_template != nullptr ? *pod_template : none, reference,
                               job->name_space(), job->name());
  json::ensure_array(pod, {"metadata", "finalizers"}).emplace_back(job_tracking_finalizer);
  const client::ObjectRef ref{.resource = kinds::pods,
                              .name_space = std::string(job->name_space())};
  const auto created = co_await context_.client.create(ref, std::move(pod));
  if (!created) {
    events_.record(*job, client::EventType::warning, "FailedCreate",
                   "Error creating: " + created.error().message);
    co_return base::fail(created.error());
  }
  pods_.absorb(*created);
  events_.record(*job, client::EventType::normal, "SuccessfulCreate",
                 "Created pod: " + std::string((*created)->name()));
  co_return base::Result<>();
}

base::Task<base::Result<>> JobController::delete_pod(const api::ObjectPtr& job,
                                                     const api::ObjectPtr& pod) {
  const std::string uid(pod->uid());
  const client::DeleteOptions options{.precondition_uid = uid};
  deleting_.insert(uid);
  const auto removed = co_await context_.client.remove(client::ref_of(kinds::pods, *pod), options);
  if (removed) {
    events_.record(*job, client::EventType::normal, "SuccessfulDelete",
                   "Deleted pod: " + std::string(pod->name()));
    co_return removed;
  }
  deleting_.erase(uid);
  if (removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

base::Task<base::Result<>> JobController::untrack(const api::ObjectPtr& pod) {
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(pod->uid()));
  json::set(patch, {"metadata", "resourceVersion"}, client::text(pod->resource_version()));
  json::set(patch, {"metadata", "finalizers"},
            without_finalizer(pod->value(), job_tracking_finalizer));
  const auto ref = client::ref_of(kinds::pods, *pod);
  const auto written =
      co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written && !(*written)->is_terminating()) pods_.absorb(*written);
  co_return settled(written);
}

base::Task<base::Result<>> JobController::write_status(const api::ObjectPtr& job, JobPlan& plan) {
  const auto* current = json::find(job->value(), {"status"});
  if (current != nullptr && *current == plan.status) co_return base::Result<>();
  json::Value object = job->value();
  json::set(object, {"status"}, std::move(plan.status));
  const auto ref = client::ref_of(kinds::jobs, *job, "status");
  const auto written = co_await context_.client.update(ref, std::move(object));
  if (!written) co_return settled(written);
  jobs_.absorb(*written);
  for (const auto& event : plan.events) {
    events_.record(*job, event.is_warning ? client::EventType::warning : client::EventType::normal,
                   event.reason, event.message);
  }
  co_return base::Result<>();
}

}  // namespace koi::controllers
