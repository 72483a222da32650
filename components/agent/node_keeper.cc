#include "agent/node_keeper.h"

#include <algorithm>

#include "base/log.h"
#include "client/lease.h"
#include "client/object_key.h"
#include "network/pod_network.h"

namespace koi::agent {

namespace {

using base::Code;

const client::Resource nodes{"", "v1", "nodes"};
constexpr base::Duration retry_delay = std::chrono::seconds{2};

client::InformerScope own_node(const AgentOptions& options) {
  client::InformerScope scope;
  scope.resource = nodes;
  scope.field_selector = "metadata.name=" + options.node_name;
  return scope;
}

client::ObjectRef node_ref(const AgentOptions& options) {
  client::ObjectRef ref;
  ref.resource = nodes;
  ref.name = options.node_name;
  return ref;
}

json::Value status_of(const api::Object& node) {
  const auto* status = json::find(node.value(), {"status"});
  return status ? *status : json::Value(json::Object{});
}

}  // namespace

NodeKeeper::NodeKeeper(AgentDoors& doors, const AgentOptions& options,
                       client::EventRecorder& events, const base::Executor& executor,
                       std::function<void()> network_ready)
    : doors_(doors),
      options_(options),
      events_(events),
      network_ready_(std::move(network_ready)),
      system_(doors.machine.system()),
      informer_(doors.api, doors.clock, doors.random, executor, own_node(options)),
      changed_(executor),
      ready_event_(executor),
      registered_event_(executor) {}

void NodeKeeper::start(base::TaskGroup& tasks) {
  informer_.add_listener([this](const api::ObjectPtr&, const api::ObjectPtr&) { touch(); });
  tasks.spawn("node", run());
  tasks.spawn("node.timer", run_timer());
  tasks.spawn("node.lease", keep_lease());
  tasks.spawn("node.informer", informer_.run());
}

void NodeKeeper::touch() {
  dirty_ = true;
  changed_.notify_all();
}

base::Task<> NodeKeeper::wait_ready() {
  while (!ready_posted_) co_await ready_event_.wait();
}

base::Task<> NodeKeeper::run() {
  for (;;) {
    dirty_ = false;
    auto done = co_await sync();
    if (!done) {
      base::log::warn("node.not_written", {{"node", options_.node_name},
                                           {"error", done.error().message},
                                           {"next", "trying again in 2 s"}});
      co_await doors_.clock.sleep_for(retry_delay);
      continue;
    }
    if (!dirty_) co_await changed_.wait();
  }
}

base::Task<> NodeKeeper::run_timer() {
  for (;;) {
    co_await doors_.clock.sleep_for(options_.facts_every);
    touch();
  }
}

// The lease belongs to the node, so that it goes when the node goes.
base::Task<> NodeKeeper::keep_lease() {
  while (!registered_) co_await registered_event_.wait();
  client::LeaseOptions lease;
  lease.name_space = "kube-node-lease";
  lease.name = options_.node_name;
  lease.holder = options_.node_name;
  lease.owner = json::Object{
      {"apiVersion", "v1"}, {"kind", "Node"}, {"name", options_.node_name}, {"uid", node_->uid()}};
  client::LeaseKeeper keeper(doors_.api, doors_.clock, lease);
  co_await keeper.run();
}

api::ObjectPtr NodeKeeper::known() const {
  auto cached = informer_.find("", options_.node_name);
  if (!cached) return informer_.has_synced() && registered_ ? nullptr : node_;
  if (!node_ || client::revision_of(*cached) > client::revision_of(*node_)) return cached;
  return node_;
}

base::Task<base::Result<>> NodeKeeper::sync() {
  node_ = known();
  if (!registered_ || !node_) {
    auto node = co_await register_node();
    if (!node) co_return base::fail(std::move(node).error());
    node_ = *node;
    registered_ = true;
    registered_event_.notify_all();
  }
  start_network(*node_);
  co_return co_await write_status(node_);
}

base::Task<base::Result<api::ObjectPtr>> NodeKeeper::register_node() {
  const auto ref = node_ref(options_);
  auto found = co_await doors_.api.get(ref);
  if (found) co_return co_await fix_labels(*found);
  if (found.error().code != Code::not_found) co_return found;
  auto made = co_await doors_.api.create(ref, new_node(options_, system_));
  if (!made && made.error().code == Code::already_exists) {
    co_return co_await doors_.api.get(ref);
  }
  if (made) {
    report("Starting", "Starting kubelet.");
    base::log::info("node.registered", {{"node", options_.node_name}});
  }
  co_return made;
}

base::Task<base::Result<api::ObjectPtr>> NodeKeeper::fix_labels(api::ObjectPtr node) {
  json::Value changed = node->value();
  auto& labels = json::ensure_object(changed, {"metadata", "labels"});
  bool differs = false;
  for (const auto& label : node_labels(options_, system_)) {
    const auto* old = labels.if_contains(label.key());
    if (old && *old == label.value()) continue;
    labels[label.key()] = label.value();
    differs = true;
  }
  if (!differs) co_return node;
  co_return co_await doors_.api.update(node_ref(options_), std::move(changed));
}

// Events about nodes carry the name as the uid: it is what clients look for.
void NodeKeeper::report(std::string_view reason, const std::string& message) {
  const json::Value about = json::Object{{"kind", "Node"},
                                         {"apiVersion", "v1"},
                                         {"name", options_.node_name},
                                         {"uid", options_.node_name}};
  events_.record(about, client::EventType::normal, reason, message);
}

void NodeKeeper::start_network(const api::Object& node) {
  if (network_started_) return;
  network::NodeNetworkConfig config;
  config.pod_cidr = json::string_at(node.value(), {"spec", "podCIDR"});
  if (config.pod_cidr.empty()) config.pod_cidr = options_.pod_cidr;
  if (config.pod_cidr.empty()) return;
  config.cluster_cidr = options_.cluster_cidr;
  config.node_ip = options_.node_ip;
  auto started = doors_.network.start(config);
  if (!started) {
    if (network_problem_ != started.error().message) {
      base::log::error("network.not_started",
                       {{"error", started.error().message}, {"next", "trying again in 10 s"}});
    }
    network_problem_ = started.error().message;
    return;
  }
  network_started_ = true;
  network_problem_.clear();
  network_ready_();
}

base::Task<base::Result<>> NodeKeeper::write_status(const api::ObjectPtr& node) {
  NodeFacts facts;
  facts.system = system_;
  facts.capacity = doors_.machine.capacity();
  facts.pressure = doors_.machine.pressure();
  facts.images = doors_.images.list();
  facts.network_problem = network_problem_;
  facts.now = doors_.clock.wall_now();
  const auto before = status_of(*node);
  auto status = node_status(options_, facts, before);
  const bool fresh = doors_.clock.now() - written_at_ < options_.status_every;
  // The API may shape a status its own way: what was answered to the same status needs no repeat.
  const bool same =
      !node_status_differs(before, status) ||
      (!node_status_differs(written_, status) && !node_status_differs(answered_, before));
  if (status_written_ && same && fresh) co_return base::Result<>{};
  json::Value body = node->value();
  json::set(body, {"status"}, status);
  auto ref = node_ref(options_);
  ref.subresource = "status";
  auto answer = co_await doors_.api.update(ref, std::move(body));
  if (!answer &&
      (answer.error().code == Code::conflict || answer.error().code == Code::not_found)) {
    auto latest = co_await doors_.api.get(node_ref(options_));
    if (latest) {
      node_ = *latest;
      informer_.absorb(*latest);
    } else if (latest.error().code == Code::not_found) {
      registered_ = false;
    }
    touch();
    co_return base::Result<>{};
  }
  if (!answer) co_return base::fail(std::move(answer).error());
  node_ = *answer;
  answered_ = status_of(**answer);
  written_ = std::move(status);
  written_at_ = doors_.clock.now();
  status_written_ = true;
  if (network_problem_.empty() && !ready_posted_) {
    ready_posted_ = true;
    report("NodeReady", "Node " + options_.node_name + " status is now: NodeReady");
    base::log::info("node.ready", {{"node", options_.node_name}});
    ready_event_.notify_all();
  }
  co_return base::Result<>{};
}

}  // namespace koi::agent
