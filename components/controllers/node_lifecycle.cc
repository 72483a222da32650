#include "controllers/node_lifecycle.h"

#include <algorithm>
#include <utility>

#include "client/object_key.h"
#include "controllers/kinds.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr const char* lease_namespace = "kube-node-lease";

base::Result<> settled(const base::Result<api::ObjectPtr>& written) {
  if (written || written.error().code == base::Code::not_found) return {};
  return base::fail(written.error());
}

std::string_view heartbeat_of(const json::Value& node) {
  const auto* ready = find_condition(node, "Ready");
  if (ready == nullptr || json::string_at(*ready, {"status"}) == "Unknown") return {};
  return json::string_at(*ready, {"lastHeartbeatTime"});
}

json::Value patch_of(const api::Object& object) {
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(object.uid()));
  json::set(patch, {"metadata", "resourceVersion"}, client::text(object.resource_version()));
  return patch;
}

}  // namespace

NodeLifecycle::NodeLifecycle(Context context, NodeLifecycleOptions options)
    : context_(context),
      options_(options),
      nodes_(context.informers.informer(kinds::nodes)),
      leases_(context.informers.informer(client::InformerScope{.resource = kinds::leases,
                                                               .name_space = lease_namespace,
                                                               .label_selector = {},
                                                               .field_selector = {}})),
      pods_(context.informers.informer(kinds::pods)),
      events_(context.client, context.clock, context.random, context.tasks, "node-controller"),
      queue_(context.tasks, context.clock, {.name = "node", .workers = 8}) {
  pods_.add_index(client::index_by_node, client::index_node);
  nodes_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    on_node(before, after);
  });
  leases_.add_listener([this](const api::ObjectPtr&, const api::ObjectPtr& after) {
    if (after != nullptr) on_lease(after);
  });
}

void NodeLifecycle::start() {
  queue_.start([this](std::string name) { return reconcile(std::move(name)); });
}

void NodeLifecycle::on_node(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  const std::string name((after != nullptr ? after : before)->name());
  if (after == nullptr) {
    seen_.erase(name);
    events_.record(*before, client::EventType::normal, "RemovingNode",
                   "Node " + name + " event: Removing Node " + name + " from Controller");
    recheck_all();
    return;
  }
  if (before == nullptr) {
    events_.record(*after, client::EventType::normal, "RegisteredNode",
                   "Node " + name + " event: Registered Node " + name + " in Controller");
  }
  note_signs(name);
  queue_.add(name);
}

void NodeLifecycle::on_lease(const api::ObjectPtr& lease) {
  const std::string name(lease->name());
  const bool was_silent = seen_.contains(name) && is_silent(name);
  note_signs(name);
  if (was_silent) queue_.add(name);
}

void NodeLifecycle::note_signs(const std::string& name) {
  const auto node = nodes_.find(name);
  if (node == nullptr) return;
  const auto lease = leases_.find(lease_namespace, name);
  std::string signs(heartbeat_of(node->value()));
  signs.push_back('/');
  if (lease != nullptr) signs.append(json::string_at(lease->value(), {"spec", "renewTime"}));
  auto& seen = seen_[name];
  if (seen.signs == signs) return;
  seen.signs = std::move(signs);
  seen.changed = context_.clock.now();
}

bool NodeLifecycle::is_silent(const std::string& name) const {
  const auto seen = seen_.find(name);
  return seen != seen_.end() && context_.clock.now() - seen->second.changed >= options_.grace;
}

bool NodeLifecycle::all_dark() const {
  return std::all_of(seen_.begin(), seen_.end(), [this](const auto& each) {
    const auto node = nodes_.find(each.first);
    return node == nullptr || is_silent(each.first) || ready_status(node->value()) != "True";
  });
}

// Whether every node is dark decides about the taints of each.
void NodeLifecycle::recheck_all() {
  const bool dark = all_dark();
  if (std::exchange(was_dark_, dark) == dark) return;
  for (const auto& [name, seen] : seen_) queue_.add(name);
}

base::Task<base::Result<>> NodeLifecycle::reconcile(std::string name) {
  co_await leases_.wait_synced();
  co_await pods_.wait_synced();
  const auto node = nodes_.find(name);
  const auto seen = seen_.find(name);
  if (node == nullptr || seen == seen_.end()) co_return base::Result<>();
  const auto silent_for = context_.clock.now() - seen->second.changed;
  recheck_all();
  const NodeHealthFacts facts{.node = node->value(),
                              .silent_for = silent_for,
                              .grace = options_.grace,
                              .all_dark = was_dark_,
                              .now = context_.clock.wall_now()};
  auto plan = plan_node_health(facts);
  if (!plan.is_unheard) queue_.add_after(name, options_.grace - silent_for);
  if (plan.conditions) {
    events_.record(*node, client::EventType::normal, "NodeNotReady",
                   "Node " + name + " status is now: NodeNotReady");
    // What the write brings back is planned on again, taints included.
    co_return co_await write_conditions(node, std::move(*plan.conditions));
  }
  if (plan.taints) {
    const auto written = co_await write_taints(node, std::move(*plan.taints));
    if (!written) co_return written;
  }
  if (!plan.is_unheard) co_return base::Result<>();
  co_return co_await mark_pods(name);
}

base::Task<base::Result<>> NodeLifecycle::write_conditions(const api::ObjectPtr& node,
                                                           json::Array conditions) {
  json::Value patch = patch_of(*node);
  json::set(patch, {"status", "conditions"}, std::move(conditions));
  const auto ref = client::ref_of(kinds::nodes, *node, "status");
  const auto written =
      co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written) nodes_.absorb(*written);
  co_return settled(written);
}

base::Task<base::Result<>> NodeLifecycle::write_taints(const api::ObjectPtr& node,
                                                       json::Array taints) {
  json::Value patch = patch_of(*node);
  json::set(patch, {"spec", "taints"}, std::move(taints));
  const auto ref = client::ref_of(kinds::nodes, *node);
  const auto written =
      co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written) nodes_.absorb(*written);
  co_return settled(written);
}

base::Task<base::Result<>> NodeLifecycle::mark_pods(const std::string& node) {
  base::Result<> outcome;
  for (const auto& pod : pods_.with_index(client::index_by_node, node)) {
    if (!is_pod_ready(*pod)) continue;
    json::Array conditions = json::array_at(pod->value(), {"status", "conditions"});
    for (auto& each : conditions) {
      if (json::string_at(each, {"type"}) != "Ready") continue;
      json::set(each, {"status"}, "False");
      json::set(each, {"lastTransitionTime"},
                client::text(base::format_time(context_.clock.wall_now())));
    }
    json::Value patch = patch_of(*pod);
    json::set(patch, {"status", "conditions"}, std::move(conditions));
    const auto ref = client::ref_of(kinds::pods, *pod, "status");
    const auto written =
        co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
    if (written) pods_.absorb(*written);
    events_.record(*pod, client::EventType::warning, "NodeNotReady", "Node is not ready");
    if (auto one = settled(written); !one) outcome = std::move(one);
  }
  co_return outcome;
}

}  // namespace koi::controllers
