#include "scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "client/object_key.h"

namespace koi::scheduler {

namespace {

constexpr ReasonSet any_reason = ~ReasonSet{0};
constexpr std::size_t decisions_per_turn = 16;

const client::Resource pods_resource{.group = "", .version = "v1", .plural = "pods"};
const client::Resource nodes_resource{.group = "", .version = "v1", .plural = "nodes"};

bool is_finished(const api::Object& pod) {
  const auto phase = json::string_at(pod.value(), {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

std::string_view node_name(const api::Object& pod) {
  return json::string_at(pod.value(), {"spec", "nodeName"});
}

// Whether an update of a pending pod may change where it can go.
bool wishes_differ(const api::Object& before, const api::Object& after) {
  const auto differ = [&](json::Path path) {
    const auto* left = json::find(before.value(), path);
    const auto* right = json::find(after.value(), path);
    if (left == nullptr || right == nullptr) return left != right;
    return *left != *right;
  };
  return before.uid() != after.uid() || differ({"spec"}) || differ({"metadata", "labels"});
}

json::Value scheduled_condition(const json::Value& pod, const std::string& message,
                                base::WallTime now) {
  json::Object condition;
  condition["type"] = "PodScheduled";
  condition["status"] = "False";
  condition["reason"] = "Unschedulable";
  condition["message"] = message;
  condition["lastProbeTime"] = nullptr;
  condition["lastTransitionTime"] = base::format_time(now);
  if (const auto generation = json::int_at(pod, {"metadata", "generation"})) {
    condition["observedGeneration"] = *generation;
  }
  return condition;
}

// The pod's conditions with PodScheduled=False; null where they say so already.
json::Value updated_conditions(const json::Value& pod, const std::string& message,
                               base::WallTime now) {
  json::Array conditions = json::array_at(pod, {"status", "conditions"});
  json::Value fresh = scheduled_condition(pod, message, now);
  for (auto& each : conditions) {
    if (json::string_at(each, {"type"}) != "PodScheduled") continue;
    const bool same_status = json::string_at(each, {"status"}) == "False";
    const bool same = same_status && json::string_at(each, {"reason"}) == "Unschedulable" &&
                      json::string_at(each, {"message"}) == message;
    if (same) return nullptr;
    const auto* since = json::find(each, {"lastTransitionTime"});
    if (same_status && since != nullptr) json::set(fresh, {"lastTransitionTime"}, *since);
    each = std::move(fresh);
    return conditions;
  }
  conditions.push_back(std::move(fresh));
  return conditions;
}

}  // namespace

Scheduler::Scheduler(client::ApiClient& client, base::Clock& clock, base::Random& random,
                     base::Executor executor, SchedulerOptions options)
    : client_(client),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      tasks_(executor),
      own_informers_(options_.informers == nullptr ? std::make_unique<client::InformerFactory>(
                                                         client, clock, random, executor)
                                                   : nullptr),
      informers_(own_informers_ ? *own_informers_ : *options_.informers),
      pods_(informers_.informer(pods_resource)),
      nodes_(informers_.informer(nodes_resource)),
      events_(client, clock, random, tasks_, options_.name),
      changed_(executor),
      alarm_(tasks_, clock, "scheduler.back_off", [this] { changed_.notify_all(); }) {}

Scheduler::~Scheduler() = default;

void Scheduler::start() {
  nodes_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    on_node(before, after);
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
  if (own_informers_) own_informers_->start();
  tasks_.spawn("scheduler", run());
}

base::Task<> Scheduler::stop() {
  if (own_informers_) co_await own_informers_->stop();
  co_await tasks_.stop();
}

bool Scheduler::is_ours(const api::Object& pod) const {
  const auto name = json::string_at(pod.value(), {"spec", "schedulerName"});
  return (name.empty() ? "default-scheduler" : name) == options_.name;
}

void Scheduler::wake(ReasonSet reasons) {
  queue_.wake(reasons, clock_.now());
  if (const auto deadline = queue_.next_deadline()) alarm_.set(*deadline);
  changed_.notify_all();
}

void Scheduler::on_node(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (after == nullptr) {
    state_.remove_node(before->name());
  } else if (state_.set_node(after)) {
    wake(any_reason);
  }
}

void Scheduler::forget(const api::Object& pod) {
  queue_.remove(client::key_of(pod));
  if (state_.remove_pod(pod.uid())) wake(reasons_of_pods);
}

void Scheduler::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && (after == nullptr || before->uid() != after->uid())) forget(*before);
  if (after == nullptr) return;
  if (is_finished(*after)) {
    forget(*after);
    return;
  }
  if (const auto node = node_name(*after); !node.empty()) {
    const bool fresh = state_.node_of(after->uid()).empty();
    queue_.remove(client::key_of(*after));
    state_.set_pod(read_pod(after), node);
    if (fresh) wake(bit(Reason::pod_affinity) | bit(Reason::spread));
    return;
  }
  // Decided on already: the binding is on its way.
  if (!state_.node_of(after->uid()).empty()) return;
  const auto key = client::key_of(*after);
  const bool gated = !json::array_at(after->value(), {"spec", "schedulingGates"}).empty();
  if (!is_ours(*after) || after->is_terminating() || gated) {
    queue_.remove(key);
    return;
  }
  if (before != nullptr && queue_.contains(key) && !wishes_differ(*before, *after)) return;
  queue_.add(read_pod(after));
  changed_.notify_all();
}

base::Task<> Scheduler::run() {
  co_await nodes_.wait_synced();
  co_await pods_.wait_synced();
  std::size_t turn = 0;
  while (true) {
    const bool full = in_flight_ >= options_.bindings_in_flight_max;
    if (full || !queue_.has_active(clock_.now())) {
      co_await changed_.wait();
      continue;
    }
    schedule(queue_.pop(clock_.now()));
    if (++turn % decisions_per_turn == 0) co_await base::yield_now();
  }
}

void Scheduler::schedule(const PodFactsPtr& pod) {
  if (!pod->refusal.empty()) {
    reject(pod, 0, pod->refusal);
    return;
  }
  auto placement = place(*pod, state_, search_start_, random_);
  if (placement.node.empty()) {
    const auto reasons = placement.rejections.reasons();
    reject(pod, reasons != 0 ? reasons : any_reason, placement.rejections.message());
    return;
  }
  // Counts as there from now on, so that the next decision sees it.
  state_.set_pod(pod, placement.node);
  ++in_flight_;
  tasks_.spawn("scheduler.bind", bind(pod, std::move(placement.node)));
}

void Scheduler::reject(const PodFactsPtr& pod, ReasonSet reasons, std::string message) {
  queue_.fail(pod, reasons, clock_.now());
  events_.record(*pod->object, client::EventType::warning, "FailedScheduling", message);
  ++in_flight_;
  tasks_.spawn("scheduler.report", report(pod, std::move(message)));
}

base::Task<> Scheduler::bind(PodFactsPtr pod, std::string node) {
  json::Object binding;
  binding["apiVersion"] = "v1";
  binding["kind"] = "Binding";
  binding["metadata"] =
      json::Object{{"name", pod->name}, {"namespace", pod->name_space}, {"uid", pod->uid}};
  binding["target"] = json::Object{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}};
  const auto ref = client::ref_of(pods_resource, *pod->object, "binding");
  const auto bound = co_await client_.create(ref, std::move(binding));
  --in_flight_;
  changed_.notify_all();
  if (bound) {
    queue_.settled(pod->key);
    events_.record(*pod->object, client::EventType::normal, "Scheduled",
                   "Successfully assigned " + pod->key + " to " + node);
    co_return;
  }
  base::log::debug("scheduler.bind", {{"pod", pod->key},
                                      {"node", node},
                                      {"error", bound.error().message},
                                      {"next", "trying again"}});
  const auto current = pods_.find(pod->key);
  const bool still_wanted =
      current != nullptr && current->uid() == pod->uid && node_name(*current).empty();
  if (!still_wanted || bound.error().code == base::Code::not_found) {
    // Where the pod is bound after all, its own event puts it back.
    if (current == nullptr || node_name(*current).empty()) state_.remove_pod(pod->uid);
    queue_.settled(pod->key);
    co_return;
  }
  state_.remove_pod(pod->uid);
  queue_.retry(read_pod(current), clock_.now());
  wake(reasons_of_pods);
}

base::Task<> Scheduler::report(PodFactsPtr pod, std::string message) {
  const auto current = pods_.find(pod->key);
  if (current != nullptr && current->uid() == pod->uid) {
    auto conditions = updated_conditions(current->value(), message, clock_.wall_now());
    if (!conditions.is_null()) {
      json::Object patch;
      patch["metadata"] =
          json::Object{{"uid", pod->uid}, {"resourceVersion", current->resource_version()}};
      patch["status"] = json::Object{{"conditions", std::move(conditions)}};
      const auto ref = client::ref_of(pods_resource, *current, "status");
      const auto written = co_await client_.patch(ref, client::PatchType::merge, std::move(patch));
      if (!written) {
        base::log::debug("scheduler.report",
                         {{"pod", pod->key}, {"error", written.error().message}});
      }
    }
  }
  --in_flight_;
  changed_.notify_all();
}

}  // namespace koi::scheduler
