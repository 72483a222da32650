#include "controllers/taint_eviction.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/disruption.h"
#include "controllers/kinds.h"
#include "controllers/node_health.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

bool same_taints(const api::Object& left, const api::Object& right) {
  return json::array_at(left.value(), {"spec", "taints"}) ==
         json::array_at(right.value(), {"spec", "taints"});
}

std::string node_of(const api::Object& pod) {
  return std::string(json::string_at(pod.value(), {"spec", "nodeName"}));
}

}  // namespace

TaintEviction::TaintEviction(Context context)
    : context_(context),
      started_(context.clock.wall_now()),
      nodes_(context.informers.informer(kinds::nodes)),
      pods_(context.informers.informer(kinds::pods)),
      events_(context.client, context.clock, context.random, context.tasks,
              "taint-eviction-controller"),
      queue_(context.tasks, context.clock, {.name = "taint-eviction", .workers = 8}) {
  pods_.add_index(client::index_by_node, client::index_node);
  nodes_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    on_node(before, after);
  });
  pods_.add_listener(
      [this](const api::ObjectPtr& before, const api::ObjectPtr& after) { on_pod(before, after); });
}

void TaintEviction::start() {
  queue_.start([this](std::string key) { return reconcile(std::move(key)); });
}

void TaintEviction::on_node(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (after == nullptr || (before != nullptr && same_taints(*before, *after))) return;
  for (const auto& pod : pods_.with_index(client::index_by_node, std::string(after->name()))) {
    queue_.add(client::key_of(*pod));
  }
}

void TaintEviction::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (after == nullptr) return;
  const auto node = node_of(*after);
  if (node.empty() || (before != nullptr && node_of(*before) == node)) return;
  const auto home = nodes_.find(node);
  const bool tainted =
      home != nullptr && !json::array_at(home->value(), {"spec", "taints"}).empty();
  if (tainted) queue_.add(client::key_of(*after));
}

base::Task<base::Result<>> TaintEviction::reconcile(std::string key) {
  co_await nodes_.wait_synced();
  co_await pods_.wait_synced();
  const auto pod = pods_.find(key);
  if (pod == nullptr || !is_pod_active(*pod)) co_return base::Result<>();
  const auto node = nodes_.find(node_of(*pod));
  if (node == nullptr) co_return base::Result<>();
  const auto now = context_.clock.wall_now();
  const auto when = eviction_time(node->value(), pod->value(), started_, now);
  if (!when) co_return base::Result<>();
  if (*when > now) {
    queue_.add_after(key, *when - now);
    co_return base::Result<>();
  }
  co_return co_await evict(pod);
}

base::Task<base::Result<>> TaintEviction::evict(const api::ObjectPtr& pod) {
  events_.record(*pod, client::EventType::normal, "TaintManagerEviction",
                 "Marking for deletion Pod " + client::key_of(*pod));
  const Disruption disruption{.reason = "DeletionByTaintManager",
                              .message = "Taint manager: deleting due to NoExecute taint",
                              .phase = {}};
  const auto noted = co_await note_disruption(context_, pod, disruption);
  if (!noted) co_return noted;
  const client::DeleteOptions options{.precondition_uid = std::string(pod->uid())};
  const auto ref = client::ref_of(kinds::pods, *pod);
  const auto removed = co_await context_.client.remove(ref, options);
  if (removed || removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

}  // namespace koi::controllers
