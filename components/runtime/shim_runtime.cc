#include "runtime/shim_runtime.h"

#include <sys/stat.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "base/event.h"
#include "base/log.h"
#include "linux/cgroup.h"
#include "linux/seccomp_filter.h"
#include "runtime/container_plan.h"
#include "runtime/paths.h"
#include "runtime/pod_recovery.h"
#include "runtime/records.h"
#include "runtime/shim_connection.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

bool is_clean_uid(const std::string& uid) {
  if (uid.empty() || uid.size() > 128 || uid.front() == '.') return false;
  return uid.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
         std::string::npos;
}

base::Path namespace_of(const PodSandboxSpec& spec, std::int64_t shim_pid) {
  if (spec.host_network) return {};
  return "/proc/" + std::to_string(shim_pid) + "/ns/net";
}

PodState state_on_disk(const PodOnDisk& pod) {
  PodState state;
  state.spec = pod.spec;
  state.shim_pid = pod.shim ? pod.shim->pid : 0;
  state.network_namespace = namespace_of(state.spec, state.shim_pid);
  state.containers = pod.containers;
  return state;
}

struct Pod {
  PodSandboxSpec spec;
  std::shared_ptr<ShimConnection> connection;
  std::set<std::string> told;  // containers whose exit the agent knows
  bool stopping = false;
};

}  // namespace

struct ShimRuntime::Impl {
  base::Executor executor;
  base::BlockingPool& pool;
  base::Clock& clock;
  ShimRuntimeOptions options;
  Result<linux::CgroupTree> tree = fail(Code::unavailable, "cgroups were not looked at yet");
  std::map<std::string, std::shared_ptr<Pod>> pods;
  std::map<linux::CapabilityMask, base::Path> filters;
  std::set<linux::CapabilityMask> filters_in_work;
  base::Event filter_made;
  std::deque<RuntimeEvent> events;
  base::Event event_added;
  base::TaskGroup group;

  Impl(base::Executor executor_in, base::BlockingPool& pool_in, base::Clock& clock_in,
       ShimRuntimeOptions options_in)
      : executor(executor_in),
        pool(pool_in),
        clock(clock_in),
        options(std::move(options_in)),
        filter_made(executor_in),
        event_added(executor_in),
        group(executor_in) {}

  class InWork;

  base::Path directory(const std::string& uid) const { return paths::pod(options.root, uid); }

  Task<Result<>> prepare();
  Task<Result<>> ensure_filter(const ContainerSpec& spec, base::Path& file);
  Task<Result<PodState>> connect(const std::string& uid, PodSandboxSpec spec);
  std::shared_ptr<ShimConnection> watch(const std::string& uid, const std::shared_ptr<Pod>& pod,
                                        linux::UniqueFd socket);
  Task<> follow(std::string uid, std::shared_ptr<Pod> pod,
                std::shared_ptr<ShimConnection> connection);
  static Task<> send(std::shared_ptr<ShimConnection> connection);
  Task<> lost(std::string uid, std::shared_ptr<Pod> pod);
  void tell_exit(const std::string& uid, Pod& pod, const ContainerState& container);
  void push(RuntimeEvent event);
  Task<Result<json::Value>> call(const std::string& uid, std::string op, json::Object members);
  Task<Result<std::optional<PodState>>> adopt(const std::string& uid);
};

// The first call looks at the machine and makes the runtime's directories.
Task<Result<>> ShimRuntime::Impl::prepare() {
  if (tree) co_return Result<>();
  auto work = [root = options.root]() -> Result<linux::CgroupTree> {
    std::error_code error;
    for (const base::Path& path : {paths::pods(root), paths::seccomp(root)}) {
      std::filesystem::create_directories(path, error);
      if (error) return fail(Code::unavailable, "make '" + path.native() + "': " + error.message());
    }
    ::chmod(root.c_str(), 0700);
    return linux::detect_cgroups();
  };
  auto found = co_await pool.run(work);
  // Another call may have been faster, and what it found is in use.
  if (!tree) tree = std::move(found);
  if (!tree) co_return fail(tree.error());
  co_return Result<>();
}

// Marks a filter as being made, also when the one who makes it is cancelled.
class ShimRuntime::Impl::InWork {
 public:
  InWork(Impl& impl, linux::CapabilityMask mask) : impl_(impl), mask_(mask) {
    impl_.filters_in_work.insert(mask_);
  }
  ~InWork() {
    impl_.filters_in_work.erase(mask_);
    impl_.filter_made.notify_all();
  }
  InWork(const InWork&) = delete;
  InWork& operator=(const InWork&) = delete;

 private:
  Impl& impl_;
  linux::CapabilityMask mask_;
};

// The file with the container's compiled filter; empty when it runs unconfined.
Task<Result<>> ShimRuntime::Impl::ensure_filter(const ContainerSpec& spec, base::Path& file) {
  const auto capabilities = container_capabilities(spec.security);
  // The shim finds the same fault, and reports it as the container's.
  if (!capabilities) co_return Result<>();
  if (spec.security.privileged || spec.security.seccomp_unconfined) co_return Result<>();
  const linux::CapabilityMask mask = *capabilities & linux::capabilities_seen_by_seccomp();
  while (filters_in_work.contains(mask)) co_await filter_made.wait();
  if (const auto found = filters.find(mask); found != filters.end()) {
    file = found->second;
    co_return Result<>();
  }
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.bpf", static_cast<unsigned long long>(mask));
  const base::Path path = paths::seccomp(options.root) / name;
  auto work = [mask, path]() -> Result<> {
    auto program = linux::compile_seccomp(linux::default_seccomp_profile(mask));
    if (!program) return fail(std::move(program).error());
    return linux::replace_file(path, *program);
  };
  const InWork in_work(*this, mask);
  auto done = co_await pool.run(work);
  if (!done) co_return done;
  filters[mask] = path;
  file = path;
  co_return Result<>();
}

void ShimRuntime::Impl::push(RuntimeEvent event) {
  events.push_back(std::move(event));
  event_added.notify_all();
}

void ShimRuntime::Impl::tell_exit(const std::string& uid, Pod& pod,
                                  const ContainerState& container) {
  if (!container.exit || !pod.told.insert(container.id).second) return;
  push(ContainerExited{uid, container});
}

std::shared_ptr<ShimConnection> ShimRuntime::Impl::watch(const std::string& uid,
                                                         const std::shared_ptr<Pod>& pod,
                                                         linux::UniqueFd socket) {
  const std::weak_ptr<Pod> weak = pod;
  auto on_event = [this, uid, weak](const json::Value& message) {
    const auto alive = weak.lock();
    const json::Value* value = json::find(message, {"container"});
    if (!alive || value == nullptr) return;
    if (const auto state = state_from_json(*value)) tell_exit(uid, *alive, *state);
  };
  auto connection = std::make_shared<ShimConnection>(executor, std::move(socket), on_event);
  group.spawn("shim/" + uid, follow(uid, pod, connection));
  group.spawn("shim/" + uid + "/send", send(connection));
  return connection;
}

Task<> ShimRuntime::Impl::send(std::shared_ptr<ShimConnection> connection) {
  co_await connection->write_all();
}

// The end of a connection is the pod's matter only while it is the pod's connection.
Task<> ShimRuntime::Impl::follow(std::string uid, std::shared_ptr<Pod> pod,
                                 std::shared_ptr<ShimConnection> connection) {
  co_await connection->read_all();
  if (pod->stopping || pod->connection != connection) co_return;
  co_await lost(uid, pod);
}

// The connection ended without our doing. Either the shim dropped us, and is asked again, or it is
// dead, and its pod with it.
Task<> ShimRuntime::Impl::lost(std::string uid, std::shared_ptr<Pod> pod) {
  const base::Path path = directory(uid);
  auto look = [path]() -> Result<PodOnDisk> { return read_pod(path); };
  const auto found = co_await pool.run(look);
  if (found && shim_is_running(*found)) {
    const auto again = co_await connect(uid, pod->spec);
    if (again) {
      for (const ContainerState& container : again->containers) tell_exit(uid, *pod, container);
      co_return;
    }
  }
  auto bury = [this, path]() -> Result<PodOnDisk> {
    return bury_pod(*tree, options.cgroup_parent, path);
  };
  const auto buried = co_await pool.run(bury);
  if (pod->stopping) co_return;
  if (buried) {
    for (const ContainerState& container : buried->containers) tell_exit(uid, *pod, container);
  } else {
    base::log::warn(
        "runtime.pod.bury_failed",
        {{"pod", uid}, {"error", buried.error().message}, {"next", "stop_pod retries"}});
  }
  push(PodLost{uid});
}

// Connects to a running shim and asks what it has.
Task<Result<PodState>> ShimRuntime::Impl::connect(const std::string& uid, PodSandboxSpec spec) {
  auto work = [path = directory(uid)]() { return connect_shim(path); };
  auto socket = co_await pool.run(work);
  if (!socket) co_return fail(std::move(socket).error());
  auto& entry = pods[uid];
  if (!entry) entry = std::make_shared<Pod>();
  const std::shared_ptr<Pod> pod = entry;
  pod->spec = spec;
  const auto connection = watch(uid, pod, std::move(*socket));
  const auto answer = co_await connection->call("describe", json::Object());
  if (!answer) co_return fail(answer.error());
  if (json::int_at(*answer, {"version"}, 0) != protocol_version) {
    connection->close();
    co_return fail(Code::unsupported, "the pod's shim speaks another version of the protocol");
  }
  if (!connection->is_open()) co_return fail(Code::unavailable, "the pod's shim has ended");
  const auto before = std::exchange(pod->connection, connection);
  if (before) before->close();
  PodState state;
  state.spec = std::move(spec);
  state.shim_pid = json::int_at(*answer, {"pid"}, 0);
  state.network_namespace = namespace_of(state.spec, state.shim_pid);
  for (const json::Value& each : json::array_at(*answer, {"containers"})) {
    auto container = state_from_json(each);
    if (container) state.containers.push_back(std::move(*container));
  }
  co_return state;
}

Task<Result<json::Value>> ShimRuntime::Impl::call(const std::string& uid, std::string op,
                                                  json::Object members) {
  const auto found = pods.find(uid);
  if (found == pods.end() || !found->second->connection) {
    co_return fail(Code::not_found, "pod '" + uid + "' does not run here");
  }
  const std::shared_ptr<ShimConnection> connection = found->second->connection;
  co_return co_await connection->call(std::move(op), std::move(members));
}

// A pod found on disk: reconnected, or buried. Nothing when it was never started.
Task<Result<std::optional<PodState>>> ShimRuntime::Impl::adopt(const std::string& uid) {
  const base::Path path = directory(uid);
  auto look = [path]() -> Result<PodOnDisk> { return read_pod(path); };
  const auto found = co_await pool.run(look);
  if (!found) {
    // Power was lost before its first record was whole: nothing of it ever ran.
    auto erase = [this, path]() { return erase_pod(*tree, options.cgroup_parent, path); };
    const auto erased = co_await pool.run(erase);
    if (!erased) co_return fail(erased.error());
    co_return std::optional<PodState>();
  }
  if (shim_is_running(*found)) {
    auto connected = co_await connect(uid, found->spec);
    if (connected) {
      for (const ContainerState& each : connected->containers) {
        if (each.exit) pods[uid]->told.insert(each.id);
      }
      co_return std::optional<PodState>(std::move(*connected));
    }
    if (connected.error().code == Code::unsupported) {
      // A pod of another version of koi runs on, known from disk; it can only be stopped.
      base::log::warn("runtime.pod.foreign", {{"pod", uid},
                                              {"error", connected.error().message},
                                              {"next", "it runs on until it is deleted"}});
      co_return std::optional<PodState>(state_on_disk(*found));
    }
  }
  auto bury = [this, path]() -> Result<PodOnDisk> {
    return bury_pod(*tree, options.cgroup_parent, path);
  };
  auto buried = co_await pool.run(bury);
  if (!buried) co_return fail(std::move(buried).error());
  PodState state = state_on_disk(*buried);
  state.shim_alive = false;
  state.network_namespace.clear();
  co_return std::optional<PodState>(std::move(state));
}

ShimRuntime::ShimRuntime(base::Executor executor, base::BlockingPool& pool, base::Clock& clock,
                         ShimRuntimeOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), pool, clock, std::move(options))) {}

ShimRuntime::~ShimRuntime() = default;

Task<> ShimRuntime::stop() {
  for (const auto& [uid, pod] : impl_->pods) {
    pod->stopping = true;
    if (pod->connection) pod->connection->close();
  }
  co_await impl_->group.stop();
}

Task<Result<PodState>> ShimRuntime::start_pod(const PodSandboxSpec& spec) {
  if (!is_clean_uid(spec.uid)) co_return fail(Code::invalid, "pod uid '" + spec.uid + "' is odd");
  if (auto ready = co_await impl_->prepare(); !ready) co_return fail(std::move(ready).error());
  const base::Path path = impl_->directory(spec.uid);
  auto connected = co_await impl_->connect(spec.uid, spec);
  if (connected || connected.error().code == Code::unsupported) co_return connected;
  const ShimRuntimeOptions& options = impl_->options;
  const auto& tree = impl_->tree;
  auto start = [&options, &tree, path, spec]() -> Result<> {
    std::error_code error;
    std::filesystem::create_directories(paths::containers(path), error);
    if (error) return fail(Code::unavailable, "make '" + path.native() + "': " + error.message());
    // A shim that does not answer is on its way out, or stuck; it still holds the pod's lock.
    if (const auto before = read_pod(path); before && shim_is_running(*before)) {
      auto buried = bury_pod(*tree, options.cgroup_parent, path);
      if (!buried) return fail(std::move(buried).error());
    }
    const std::string record = json::serialize(to_json(spec));
    auto written = linux::replace_file(paths::pod_spec(path), record);
    if (!written) return written;
    return start_shim(options.shim_command, path, options.cgroup_parent);
  };
  if (auto started = co_await impl_->pool.run(start); !started) {
    co_return fail(std::move(started).error());
  }
  co_return co_await impl_->connect(spec.uid, spec);
}

Task<Result<ContainerState>> ShimRuntime::start_container(const std::string& pod_uid,
                                                          const ContainerSpec& spec) {
  const std::string uid = pod_uid;
  if (auto ready = co_await impl_->prepare(); !ready) co_return fail(std::move(ready).error());
  base::Path filter;
  if (auto done = co_await impl_->ensure_filter(spec, filter); !done) {
    co_return fail(std::move(done).error().during("make seccomp filter"));
  }
  json::Object members;
  members["spec"] = to_json(spec);
  members["seccompFile"] = filter.native();
  const auto answer = co_await impl_->call(uid, "start", std::move(members));
  if (!answer) co_return fail(answer.error());
  co_return state_from_json(*answer);
}

Task<Result<>> ShimRuntime::signal_container(const std::string& pod_uid,
                                             const std::string& container_id, int signal_number) {
  json::Object members;
  members["container"] = container_id;
  members["signal"] = signal_number;
  const auto answer = co_await impl_->call(pod_uid, "signal", std::move(members));
  if (!answer && answer.error().code != Code::not_found) co_return fail(answer.error());
  co_return Result<>();
}

Task<Result<>> ShimRuntime::remove_container(const std::string& pod_uid,
                                             const std::string& container_id) {
  const base::Path path = impl_->directory(pod_uid);
  json::Object members;
  members["container"] = container_id;
  const auto answer = co_await impl_->call(pod_uid, "remove", std::move(members));
  if (!answer && answer.error().code != Code::not_found) co_return fail(answer.error());
  auto work = [path] { empty_trash(path); };
  co_await impl_->pool.run(work);
  co_return Result<>();
}

// Stopping a pod: 1 the shim kills and reaps its containers, removes their cgroups and ends  2 what
// is left is killed by name of its cgroup  3 the directory goes. Killed in between, the pod is
// found by list() with a dead shim, and stopping it again goes on from there.
Task<Result<>> ShimRuntime::stop_pod(const std::string& pod_uid) {
  const std::string uid = pod_uid;
  if (!is_clean_uid(uid)) co_return fail(Code::invalid, "pod uid '" + uid + "' is odd");
  if (auto ready = co_await impl_->prepare(); !ready) co_return fail(std::move(ready).error());
  if (const auto found = impl_->pods.find(uid); found != impl_->pods.end()) {
    const std::shared_ptr<Pod> pod = found->second;
    pod->stopping = true;
    if (pod->connection && pod->connection->is_open()) {
      const auto answer = co_await pod->connection->call("shutdown", json::Object());
      if (answer) co_await pod->connection->wait_closed();
    }
    if (pod->connection) pod->connection->close();
  }
  const base::Path path = impl_->directory(uid);
  auto erase = [this, path]() {
    return erase_pod(*impl_->tree, impl_->options.cgroup_parent, path);
  };
  auto erased = co_await impl_->pool.run(erase);
  if (erased) impl_->pods.erase(uid);
  co_return erased;
}

Task<Result<ExecResult>> ShimRuntime::exec(const std::string& pod_uid,
                                           const std::string& container_id,
                                           const std::vector<std::string>& args,
                                           base::Duration deadline) {
  json::Object members;
  members["container"] = container_id;
  json::Array list;
  for (const std::string& arg : args) list.emplace_back(arg);
  members["args"] = std::move(list);
  members["deadlineMicros"] = deadline.count();
  const auto answer = co_await impl_->call(pod_uid, "exec", std::move(members));
  if (!answer) co_return fail(answer.error());
  ExecResult result;
  result.exit_code = static_cast<int>(json::int_at(*answer, {"exitCode"}, 0));
  result.output = std::string(json::string_at(*answer, {"output"}));
  co_return result;
}

Task<Result<ContainerStats>> ShimRuntime::stats(const std::string& pod_uid,
                                                const std::string& container_id) {
  if (auto ready = co_await impl_->prepare(); !ready) co_return fail(std::move(ready).error());
  const auto found = impl_->pods.find(pod_uid);
  if (found == impl_->pods.end()) co_return fail(Code::not_found, "pod '" + pod_uid + "' is gone");
  const std::string group =
      pod_cgroup(impl_->options.cgroup_parent, found->second->spec) + "/" + container_id;
  auto work = [this, group]() { return linux::read_cgroup_stats(*impl_->tree, group); };
  const auto read = co_await impl_->pool.run(work);
  if (!read) co_return fail(read.error());
  co_return ContainerStats{read->cpu_nanos, read->memory_working_set_bytes};
}

Task<Result<std::vector<PodState>>> ShimRuntime::list() {
  if (auto ready = co_await impl_->prepare(); !ready) co_return fail(std::move(ready).error());
  auto look = [root = impl_->options.root]() {
    std::vector<std::string> uids;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(paths::pods(root), error), end;
         !error && entry != end; entry.increment(error)) {
      uids.push_back(entry->path().filename().native());
    }
    return uids;
  };
  const std::vector<std::string> uids = co_await impl_->pool.run(look);
  std::vector<PodState> states;
  for (const std::string& uid : uids) {
    auto state = co_await impl_->adopt(uid);
    if (!state) co_return fail(std::move(state).error().during("adopt pod '" + uid + "'"));
    if (*state) states.push_back(std::move(**state));
  }
  co_return states;
}

Task<RuntimeEvent> ShimRuntime::next_event() {
  while (impl_->events.empty()) co_await impl_->event_added.wait();
  RuntimeEvent event = std::move(impl_->events.front());
  impl_->events.pop_front();
  co_return event;
}

Result<> remove_cgroups(const std::string& cgroup_parent) {
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  if (auto killed = linux::kill_cgroup(*tree, cgroup_parent); !killed) return killed;
  return linux::remove_cgroup(*tree, cgroup_parent);
}

}  // namespace koi::runtime
