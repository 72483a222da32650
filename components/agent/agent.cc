#include "agent/agent.h"

#include <algorithm>
#include <map>
#include <set>

#include "agent/machine_facts.h"
#include "agent/node_keeper.h"
#include "agent/pod_worker.h"
#include "base/blocking_pool.h"
#include "base/log.h"
#include "network/pod_network.h"

namespace koi::agent {

namespace {

constexpr base::Duration retry_delay = std::chrono::seconds{1};

const client::Resource pods_resource{"", "v1", "pods"};

client::InformerScope own_pods(const AgentOptions& options) {
  client::InformerScope scope;
  scope.resource = pods_resource;
  scope.field_selector = "spec.nodeName=" + options.node_name;
  return scope;
}

client::InformerScope all_services() {
  client::InformerScope scope;
  scope.resource = client::Resource{"", "v1", "services"};
  return scope;
}

}  // namespace

struct Agent::Impl {
  Impl(AgentDoors doors_in, AgentOptions options_in, base::Executor executor_in);

  base::Task<> run();
  base::Task<std::vector<runtime::PodState>> list_runtime();
  base::Task<> remove_orphans(std::vector<runtime::PodState> running);
  base::Task<> remove_orphan(runtime::PodState pod);
  base::Task<> remove_stale_directories();
  base::Task<> follow_runtime();
  base::Task<> run_worker(std::string uid, std::shared_ptr<PodWorker> worker);
  void adopt(const std::vector<runtime::PodState>& running);
  void pod_changed(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void begin(const api::ObjectPtr& pod, const std::optional<runtime::PodState>& running);
  void dispatch(const runtime::RuntimeEvent& event);
  base::Task<> open_network();
  void reference_changed(const std::string& name_space, const ReferenceKey& key);
  void announce_containers();
  PodWorker* find_worker(const std::string& uid) const;
  const PodWorker* find_pod(const std::string& name_space, const std::string& name) const;

  AgentDoors doors;
  const AgentOptions options;
  base::Executor executor;
  base::TaskGroup tasks;
  base::TaskGroup workers_tasks;
  client::EventRecorder events;
  ReferenceCache references;
  client::Informer pods;
  client::Informer services;
  WorkerContext context;
  base::Event network_event;
  bool network_up = false;
  NodeKeeper node;
  std::vector<std::weak_ptr<std::function<void()>>> listeners;
  std::map<std::string, std::shared_ptr<PodWorker>> workers;
  std::set<std::string> finished;  // uids that the API may still show for a moment
  bool adopted = false;
};

Agent::Impl::Impl(AgentDoors doors_in, AgentOptions options_in, base::Executor executor_in)
    : doors(doors_in),
      options(std::move(options_in)),
      executor(std::move(executor_in)),
      tasks(executor),
      workers_tasks(executor),
      events(doors.api, doors.clock, doors.random, tasks, "kubelet", options.node_name),
      references(doors.api, doors.clock, doors.random, executor,
                 [this](const std::string& name_space, const ReferenceKey& key) {
                   reference_changed(name_space, key);
                 }),
      pods(doors.api, doors.clock, doors.random, executor, own_pods(options)),
      services(doors.api, doors.clock, doors.random, executor, all_services()),
      context{doors,    options, AgentPaths(options.data_dir, options.log_dir), events, references,
              services, executor},
      network_event(executor),
      node(doors, options, events, executor, [this] {
        network_up = true;
        network_event.notify_all();
      }) {
  const auto capacity = doors.machine.capacity();
  context.memory_bytes = capacity.memory_bytes;
  context.cpu_milli = capacity.cpu_milli;
  context.storage_bytes = capacity.storage_bytes;
}

// Starting: 1 register the node  2 read what runs  3 read what should run  4 adopt  5 remove what
// belongs to no pod  6 follow the runtime.
base::Task<> Agent::Impl::run() {
  auto running = co_await list_runtime();
  co_await pods.wait_synced();
  co_await services.wait_synced();
  adopt(running);
  tasks.spawn("agent.runtime", follow_runtime());
  tasks.spawn("agent.network", open_network());
  co_await remove_orphans(std::move(running));
  co_await remove_stale_directories();
}

base::Task<std::vector<runtime::PodState>> Agent::Impl::list_runtime() {
  for (;;) {
    auto running = co_await doors.runtime.list();
    if (running) co_return std::move(*running);
    base::log::error("agent.runtime_not_listed",
                     {{"error", running.error().message}, {"next", "trying again in 1 s"}});
    co_await doors.clock.sleep_for(retry_delay);
  }
}

void Agent::Impl::adopt(const std::vector<runtime::PodState>& running) {
  adopted = true;
  for (const auto& pod : pods.list()) {
    const auto found = std::ranges::find_if(
        running, [&](const runtime::PodState& state) { return state.spec.uid == pod->uid(); });
    begin(pod, found == running.end() ? std::nullopt : std::optional(*found));
  }
  if (!running.empty()) {
    base::log::info("agent.adopted", {{"pods", running.size()}, {"bound", workers.size()}});
  }
}

base::Task<> Agent::Impl::remove_orphans(std::vector<runtime::PodState> running) {
  for (auto& pod : running) {
    if (find_worker(pod.spec.uid)) continue;
    base::log::info("agent.orphan_removed",
                    {{"pod", pod.spec.name}, {"namespace", pod.spec.name_space}});
    co_await remove_orphan(std::move(pod));
  }
}

base::Task<> Agent::Impl::remove_orphan(runtime::PodState pod) {
  const std::string uid = pod.spec.uid;
  auto done = co_await doors.runtime.stop_pod(uid);
  if (done) done = co_await doors.network.detach(uid);
  if (done) {
    const auto logs = context.paths.pod_logs(pod.spec.name_space, pod.spec.name, uid);
    auto work = [&] { return doors.disk.remove_pod(logs); };
    done = co_await doors.pool.run(work);
  }
  if (!done) {
    base::log::warn("agent.orphan_kept", {{"pod", pod.spec.name},
                                          {"error", done.error().message},
                                          {"next", "the next start tries again"}});
  }
}

base::Task<> Agent::Impl::remove_stale_directories() {
  const auto directory = context.paths.pods();
  auto list = [&] { return doors.disk.list(directory); };
  const auto names = co_await doors.pool.run(list);
  for (const auto& uid : names) {
    if (find_worker(uid)) continue;
    const auto path = context.paths.pod(uid);
    auto work = [&] { return doors.disk.remove_pod(path); };
    const auto removed = co_await doors.pool.run(work);
    if (!removed) {
      base::log::warn("agent.directory_kept",
                      {{"path", path.string()}, {"error", removed.error().message}});
    }
  }
}

base::Task<> Agent::Impl::follow_runtime() {
  for (;;) {
    const auto event = co_await doors.runtime.next_event();
    dispatch(event);
    announce_containers();
  }
}

void Agent::Impl::dispatch(const runtime::RuntimeEvent& event) {
  if (const auto* exited = std::get_if<runtime::ContainerExited>(&event)) {
    if (auto* worker = find_worker(exited->pod_uid)) worker->container_exited(exited->container);
    return;
  }
  const auto& lost = std::get<runtime::PodLost>(event);
  if (auto* worker = find_worker(lost.pod_uid)) worker->sandbox_lost();
}

void Agent::Impl::pod_changed(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (!adopted) return;
  if (before && (!after || after->uid() != before->uid())) {
    const std::string uid(before->uid());
    finished.erase(uid);
    if (auto* worker = find_worker(uid)) worker->remove();
  }
  if (!after) return;
  const std::string uid(after->uid());
  if (auto* worker = find_worker(uid)) {
    worker->update(after);
  } else if (!finished.contains(uid)) {
    begin(after, std::nullopt);
  }
}

void Agent::Impl::begin(const api::ObjectPtr& pod,
                        const std::optional<runtime::PodState>& running) {
  const std::string uid(pod->uid());
  auto worker = std::make_shared<PodWorker>(context, pod, running);
  workers[uid] = worker;
  workers_tasks.spawn("pod/" + std::string(pod->name()), run_worker(uid, std::move(worker)));
}

base::Task<> Agent::Impl::run_worker(std::string uid, std::shared_ptr<PodWorker> worker) {
  co_await worker->run();
  workers.erase(uid);
  // The informer may not have seen the deletion yet.
  const auto cached = pods.find(worker->pod()->name_space(), worker->pod()->name());
  if (cached && cached->uid() == uid) finished.insert(uid);
  announce_containers();
}

// Lets pods be attached once the network is up and what it kept for pods of the past is given back.
base::Task<> Agent::Impl::open_network() {
  while (!network_up) co_await network_event.wait();
  std::vector<std::string> live;
  for (const auto& [uid, worker] : workers) live.push_back(uid);
  const auto reclaimed = co_await doors.network.reclaim(std::move(live));
  if (!reclaimed) {
    base::log::warn("network.not_reclaimed",
                    {{"error", reclaimed.error().message}, {"next", "the next start tries again"}});
  }
  context.network_started = true;
  for (const auto& [uid, worker] : workers) worker->network_changed();
}

void Agent::Impl::reference_changed(const std::string& name_space, const ReferenceKey& key) {
  for (const auto& [uid, worker] : workers) {
    if (worker->pod()->name_space() == name_space) worker->reference_changed(key);
  }
}

void Agent::Impl::announce_containers() {
  std::erase_if(listeners, [](const auto& listener) { return listener.expired(); });
  const auto now = listeners;
  for (const auto& listener : now) {
    if (const auto callback = listener.lock()) (*callback)();
  }
}

PodWorker* Agent::Impl::find_worker(const std::string& uid) const {
  const auto found = workers.find(uid);
  return found == workers.end() ? nullptr : found->second.get();
}

const PodWorker* Agent::Impl::find_pod(const std::string& name_space,
                                       const std::string& name) const {
  for (const auto& [uid, worker] : workers) {
    if (worker->pod()->name() == name && worker->pod()->name_space() == name_space) {
      return worker.get();
    }
  }
  return nullptr;
}

Agent::Agent(AgentDoors doors, AgentOptions options, base::Executor executor)
    : impl_(std::make_unique<Impl>(doors, std::move(options), std::move(executor))) {}

Agent::~Agent() = default;

void Agent::start() {
  auto& impl = *impl_;
  impl.pods.add_listener([&impl](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    impl.pod_changed(before, after);
  });
  impl.node.start(impl.tasks);
  impl.tasks.spawn("agent.pods", impl.pods.run());
  impl.tasks.spawn("agent.services", impl.services.run());
  impl.tasks.spawn("agent", impl.run());
}

base::Task<> Agent::stop() {
  co_await impl_->workers_tasks.stop();
  for (auto& [uid, worker] : impl_->workers) co_await worker->stop();
  co_await impl_->tasks.stop();
  impl_->workers.clear();
  co_await impl_->references.stop();
}

void Agent::images_changed() {
  for (const auto& [uid, worker] : impl_->workers) worker->images_changed();
  impl_->node.touch();
}

bool Agent::is_ready() const { return impl_->node.is_ready(); }

base::Task<> Agent::wait_ready() { co_await impl_->node.wait_ready(); }

std::vector<json::Value> Agent::pods() const {
  std::vector<json::Value> list;
  for (const auto& [uid, worker] : impl_->workers) list.push_back(worker->current());
  return list;
}

base::Result<ContainerLog> Agent::find_log(const std::string& name_space, const std::string& pod,
                                           const std::string& container, bool previous) const {
  const auto* worker = impl_->find_pod(name_space, pod);
  if (!worker) {
    return base::fail(base::Code::not_found, "pod \"" + pod + "\" not found");
  }
  const auto& seen = worker->observed().at(container);
  const auto& object = *worker->pod();
  const auto quoted = "container \"" + container + "\" in pod \"" + pod + "\"";
  const auto shown = view_pod(worker->pod());
  if (!shown.find_container(container)) {
    return base::fail(base::Code::invalid,
                      "container " + container + " is not valid for pod " + pod);
  }
  std::optional<std::uint32_t> attempt;
  if (seen.latest) attempt = seen.latest->attempt;
  if (previous) {
    const bool waits = seen.exited() && seen.waiting;
    if (!waits) attempt = attempt && *attempt > 0 ? std::optional(*attempt - 1) : std::nullopt;
    if (!attempt) {
      return base::fail(base::Code::invalid, "previous terminated " + quoted + " not found");
    }
  }
  if (!attempt) {
    auto reason = seen.waiting ? seen.waiting->reason : std::string("ContainerCreating");
    if (reason == "ErrImagePull" || reason == "ImagePullBackOff") {
      reason = "trying and failing to pull image";
    }
    return base::fail(base::Code::invalid, quoted + " is waiting to start: " + reason);
  }
  const auto& paths = impl_->context.paths;
  const auto logs = paths.pod_logs(name_space, pod, std::string(object.uid()));
  ContainerLog log;
  log.path = paths.container_logs(logs, container) / AgentPaths::log_name(*attempt);
  log.running = !previous && seen.running();
  return log;
}

std::shared_ptr<void> Agent::on_containers_changed(std::function<void()> callback) {
  auto shared = std::make_shared<std::function<void()>>(std::move(callback));
  impl_->listeners.push_back(shared);
  return shared;
}

}  // namespace koi::agent
