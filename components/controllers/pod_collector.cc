#include "controllers/pod_collector.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/disruption.h"
#include "controllers/kinds.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

std::string node_of(const api::Object& pod) {
  return std::string(json::string_at(pod.value(), {"spec", "nodeName"}));
}

std::pair<std::string, std::string> age_key(const api::Object& pod) {
  return {std::string(json::string_at(pod.value(), {"metadata", "creationTimestamp"})),
          client::key_of(pod)};
}

}  // namespace

PodCollector::PodCollector(Context context, PodCollectorOptions options)
    : context_(context),
      options_(options),
      nodes_(context.informers.informer(kinds::nodes)),
      pods_(context.informers.informer(kinds::pods)),
      queue_(context.tasks, context.clock, {.name = "pod-collector", .workers = 4}) {
  pods_.add_index(client::index_by_node, client::index_node);
  nodes_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    if (after != nullptr) return;
    for (const auto& pod : pods_.with_index(client::index_by_node, std::string(before->name()))) {
      queue_.add_after(client::key_of(*pod), options_.quarantine);
    }
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void PodCollector::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void PodCollector::note_finished(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (before != nullptr && is_pod_finished(*before)) finished_.erase(age_key(*before));
  if (after != nullptr && is_pod_finished(*after)) finished_.insert(age_key(*after));
  if (finished_.size() > options_.finished_pods_max) queue_.add(finished_.begin()->second);
}

void PodCollector::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  note_finished(before, after);
  if (after == nullptr) return;
  const auto node = node_of(*after);
  if (node.empty()) {
    if (after->is_terminating()) queue_.add(client::key_of(*after));
    return;
  }
  const bool assigned = before == nullptr || node_of(*before).empty();
  if (assigned && nodes_.find(node) == nullptr) {
    queue_.add_after(client::key_of(*after), options_.quarantine);
  }
}

base::Task<base::Result<>> PodCollector::reconcile(std::string key) {
  co_await nodes_.wait_synced();
  co_await pods_.wait_synced();
  const auto pod = pods_.find(key);
  if (pod == nullptr) co_return base::Result<>();
  const auto node = node_of(*pod);
  if (node.empty() && pod->is_terminating()) co_return co_await remove(pod);
  const bool surplus =
      finished_.size() > options_.finished_pods_max && finished_.begin()->second == key;
  if (surplus) co_return co_await remove(pod);
  if (node.empty() || nodes_.find(node) != nullptr) co_return base::Result<>();
  const auto live = co_await context_.client.get(client::ref_of(kinds::nodes, node));
  if (live) co_return base::Result<>();
  if (live.error().code != base::Code::not_found) co_return base::fail(live.error());
  co_return co_await give_up(pod);
}

base::Task<base::Result<>> PodCollector::give_up(const api::ObjectPtr& pod) {
  if (!is_pod_finished(*pod)) {
    const Disruption disruption{
        .reason = "DeletionByPodGC", .message = "PodGC: node no longer exists", .phase = "Failed"};
    const auto noted = co_await note_disruption(context_, pod, disruption);
    if (!noted) co_return noted;
  }
  co_return co_await remove(pod);
}

base::Task<base::Result<>> PodCollector::remove(const api::ObjectPtr& pod) {
  const client::DeleteOptions options{.grace_period_seconds = 0,
                                      .precondition_uid = std::string(pod->uid())};
  const auto ref = client::ref_of(kinds::pods, *pod);
  const auto removed = co_await context_.client.remove(ref, options);
  if (removed || removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

}  // namespace koi::controllers
