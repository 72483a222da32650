#include <algorithm>

#include "agent/container_spec.h"
#include "agent/machine_facts.h"
#include "agent/pod_files.h"
#include "agent/pod_worker.h"
#include "agent/quantity.h"
#include "base/blocking_pool.h"
#include "base/log.h"
#include "client/object_key.h"
#include "network/pod_network.h"

// Setting a pod up and tearing it down: volumes, sandbox, network.
namespace koi::agent {

namespace {

using base::Code;
using client::EventType;

// A token is renewed when four fifths of its life are over.
constexpr int token_life_percent = 80;
constexpr base::Duration network_grace = std::chrono::seconds{3};
constexpr base::Duration network_wait = std::chrono::seconds{30};
constexpr base::Duration retry_soon = std::chrono::seconds{1};

// Why a volume could not be set up, in the words of upstream.
base::Error mount_error(const json::Value& volume, base::Error error) {
  error.message = "MountVolume.SetUp failed for volume \"" +
                  std::string(json::string_at(volume, {"name"})) + "\" : " + error.message;
  return error;
}

// One volume and what it is made of: copied to the pool.
struct VolumeWork {
  json::Value volume;
  base::Path path;
  VolumeContent content;
  std::optional<std::int64_t> group;
};

base::Result<> set_up_volume(VolumeDisk& disk, const VolumeWork& work) {
  if (const auto* host = json::find(work.volume, {"hostPath"})) {
    return disk.prepare_host_path(std::string(json::string_at(*host, {"path"})),
                                  std::string(json::string_at(*host, {"type"})));
  }
  if (const auto* empty = json::find(work.volume, {"emptyDir"})) {
    if (json::string_at(*empty, {"medium"}) != "Memory") {
      return disk.make_directory(work.path, work.group);
    }
    std::optional<std::int64_t> bytes_max;
    const auto* limit = json::find(*empty, {"sizeLimit"});
    if (limit && limit->is_string()) bytes_max = parse_whole(limit->get_string());
    return disk.make_memory(work.path, bytes_max, work.group);
  }
  auto made = is_secret_volume(work.volume) ? disk.make_memory(work.path, std::nullopt, work.group)
                                            : disk.make_directory(work.path, work.group);
  if (!made) return made;
  return disk.publish(work.path, work.content, work.group);
}

base::Result<> set_up_volumes(VolumeDisk& disk, const std::vector<VolumeWork>& volumes) {
  for (const auto& work : volumes) {
    auto done = set_up_volume(disk, work);
    if (!done) return base::fail(mount_error(work.volume, std::move(done).error()));
  }
  return {};
}

std::vector<network::HostPort> host_ports_of(const json::Value& pod) {
  std::vector<network::HostPort> ports;
  for (const auto* list : {"initContainers", "containers"}) {
    for (const auto& container : json::array_at(pod, {"spec", list})) {
      for (const auto& entry : json::array_at(container, {"ports"})) {
        const auto host_port = json::int_at(entry, {"hostPort"}, 0);
        if (host_port <= 0 || host_port > 65'535) continue;
        network::HostPort port;
        port.protocol = json::string_at(entry, {"protocol"});
        if (port.protocol.empty()) port.protocol = "TCP";
        port.host_ip = json::string_at(entry, {"hostIP"});
        port.host_port = static_cast<std::uint16_t>(host_port);
        port.container_port = static_cast<std::uint16_t>(json::int_at(entry, {"containerPort"}, 0));
        ports.push_back(std::move(port));
      }
    }
  }
  return ports;
}

}  // namespace

// Resolves what volumes and environment refer to. False while something was not read yet: the
// cache says when.
base::Task<base::Result<bool>> PodWorker::gather_inputs(const PodView& pod) {
  for (const auto& key : references_of(pod.value())) {
    const auto found = context_.references.find(pod.name_space, key);
    if (!found) co_return false;
    references_[key] = *found;
  }
  const bool due = tokens_due_ && now().mono >= *tokens_due_;
  for (const auto& request : token_requests_of(pod.value())) {
    if (tokens_.contains(request) && !due) continue;
    if (auto done = co_await request_token(pod, request); !done) {
      co_return base::fail(std::move(done).error());
    }
  }
  co_return true;
}

base::Task<base::Result<>> PodWorker::request_token(const PodView& pod,
                                                    const TokenRequest& request) {
  json::Value body =
      json::Object{{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}};
  if (!request.audience.empty()) {
    json::ensure_array(body, {"spec", "audiences"}).emplace_back(request.audience);
  }
  json::set(body, {"spec", "expirationSeconds"}, request.expiration_seconds);
  json::set(
      body, {"spec", "boundObjectRef"},
      json::Object{{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", pod.name}, {"uid", pod.uid}});
  client::ObjectRef ref;
  ref.resource = client::Resource{"", "v1", "serviceaccounts"};
  ref.name_space = pod.name_space;
  ref.name = json::string_at(pod.value(), {"spec", "serviceAccountName"});
  if (ref.name.empty()) ref.name = "default";
  ref.subresource = "token";
  auto answer = co_await context_.doors.api.create(ref, std::move(body));
  if (!answer) co_return base::fail(std::move(answer).error().during("failed to fetch token"));
  const auto& status = (*answer)->value();
  tokens_[request] = json::string_at(status, {"status", "token"});
  const auto expires = base::parse_time(json::string_at(status, {"status", "expirationTimestamp"}));
  const base::Duration life =
      expires ? *expires - now().wall
              : base::Duration{std::chrono::seconds{request.expiration_seconds}};
  const auto due = now().mono + std::max(life * token_life_percent / 100, retry_soon);
  if (!tokens_due_ || *tokens_due_ <= now().mono || due < *tokens_due_) tokens_due_ = due;
  co_return base::Result<>{};
}

base::Task<> PodWorker::prepare_volumes() {
  const PodView pod = pod_;
  auto ready = co_await gather_inputs(pod);
  if (ready && !*ready) {
    seen_.waiting = Waiting{"ContainerCreating", "", now().mono + std::chrono::seconds{30}};
    co_return;
  }
  base::Result<> done;
  if (ready) {
    done = co_await fill_volumes(pod);
  } else {
    done = base::fail(std::move(ready).error());
  }
  if (!done) {
    set_up_failed("FailedMount", done.error().message);
    co_return;
  }
  seen_.volumes_ready = true;
  seen_.waiting.reset();
  set_up_delay_ = base::Duration{};
}

base::Task<base::Result<>> PodWorker::fill_volumes(const PodView& pod) {
  VolumeInputs inputs;
  inputs.pod = &pod.value();
  inputs.references = &references_;
  inputs.tokens = &tokens_;
  inputs.facts = downward_facts();
  std::vector<VolumeWork> volumes;
  for (const auto& volume : json::array_at(pod.value(), {"spec", "volumes"})) {
    VolumeWork work;
    work.volume = volume;
    work.path = context_.paths.volume(pod.uid, std::string(json::string_at(volume, {"name"})));
    work.group = volume_group(pod.value());
    if (is_filled_volume(volume)) {
      auto content = volume_content(volume, inputs);
      if (!content) co_return base::fail(mount_error(volume, std::move(content).error()));
      work.content = std::move(*content);
    }
    volumes.push_back(std::move(work));
  }
  if (volumes.empty()) co_return base::Result<>{};
  auto work = [&disk = context_.doors.disk, &volumes] { return set_up_volumes(disk, volumes); };
  co_return co_await context_.doors.pool.run(work);
}

base::Task<> PodWorker::refresh_volumes() {
  volumes_stale_ = false;
  const PodView pod = pod_;
  auto ready = co_await gather_inputs(pod);
  base::Result<> done;
  if (!ready) {
    done = base::fail(std::move(ready).error());
  } else if (*ready) {
    done = co_await fill_volumes(pod);
  }
  if (done) co_return;
  // What is mounted stays as it was; a change or the next renewal tries again.
  report(EventType::warning, "FailedMount", done.error().message);
  if (tokens_due_ && *tokens_due_ <= now().mono) {
    tokens_due_ = now().mono + std::chrono::seconds{10};
  }
}

base::Task<> PodWorker::start_sandbox() {
  const PodView pod = pod_;
  auto& runtime = context_.doors.runtime;
  if (sandbox_stale_) {
    if (auto stopped = co_await runtime.stop_pod(pod.uid); !stopped) {
      set_up_failed("FailedKillPod", "error killing pod: " + stopped.error().message);
      co_return;
    }
    sandbox_stale_ = false;
  }
  SandboxInputs inputs;
  inputs.pod = &pod;
  inputs.hostname =
      pod_hostname(pod.value(), context_.options.node_name, context_.options.cluster_domain);
  inputs.pids_max = context_.options.pids_per_pod_max;
  const auto spec = build_sandbox_spec(inputs);
  auto state = co_await runtime.start_pod(spec);
  if (!state) {
    set_up_failed("FailedCreatePodSandBox",
                  "Failed to create pod sandbox: " + state.error().message);
    co_return;
  }
  network_namespace_ = state->network_namespace;
  seen_.sandbox_up = true;
  seen_.waiting.reset();
}

base::Task<> PodWorker::attach_network() {
  const PodView pod = pod_;
  if (!pod.host_network) {
    if (!context_.network_started) {
      // A node that has just started is about to have one.
      if (network_awaited_) {
        report(EventType::warning, "NetworkNotReady",
               "network is not ready: the node has no range of pod addresses yet");
      }
      const auto wait = network_awaited_ ? network_wait : network_grace;
      seen_.waiting = Waiting{"ContainerCreating", "", now().mono + wait};
      network_awaited_ = true;
      co_return;
    }
    auto address = co_await context_.doors.network.attach(pod.uid, network_namespace_.string(),
                                                          host_ports_of(pod.value()));
    if (!address) {
      set_up_failed("FailedCreatePodSandBox",
                    "Failed to create pod sandbox: failed to setup network for sandbox: " +
                        address.error().message);
      co_return;
    }
    seen_.pod_ip = address->ip;
  } else {
    seen_.pod_ip = context_.options.node_ip;
  }
  if (auto done = co_await write_pod_files(pod); !done) {
    set_up_failed("FailedCreatePodSandBox",
                  "Failed to create pod sandbox: " + done.error().message);
    co_return;
  }
  seen_.network_ready = true;
  seen_.waiting.reset();
  set_up_delay_ = base::Duration{};
}

base::Task<base::Result<>> PodWorker::write_pod_files(const PodView& pod) {
  const auto& options = context_.options;
  const auto& machine = context_.doors.machine;
  const std::string node_hosts = pod.host_network ? machine.hosts_file() : std::string();
  const auto hosts = hosts_file(pod.value(), seen_.pod_ip, node_hosts, options.cluster_domain);
  DnsOptions dns;
  dns.cluster_dns = options.cluster_dns;
  dns.cluster_domain = options.cluster_domain;
  const auto resolver = resolv_conf(pod.value(), machine.resolv_conf(), dns);
  const auto hostname = pod_hostname(pod.value(), options.node_name, options.cluster_domain);
  const auto path = [&](const char* name) { return context_.paths.pod_file(pod.uid, name); };
  auto work = [&]() -> base::Result<> {
    auto& disk = context_.doors.disk;
    if (auto done = disk.write_file(path("hosts"), hosts, 0644); !done) return done;
    if (auto done = disk.write_file(path("hostname"), hostname + "\n", 0644); !done) return done;
    return disk.write_file(path("resolv.conf"), resolver, 0644);
  };
  co_return co_await context_.doors.pool.run(work);
}

// Every step is repeated until all have succeeded; each finds its work done the second time.
base::Task<> PodWorker::tear_down() {
  const std::string uid = pod_.uid;
  for (const auto& [name, state] : seen_.containers) end_run(name);
  const auto directory = context_.paths.pod(uid);
  auto done = co_await context_.doors.runtime.stop_pod(uid);
  if (done) done = co_await context_.doors.network.detach(uid);
  if (done) {
    auto work = [&] { return context_.doors.disk.remove_pod(directory); };
    done = co_await context_.doors.pool.run(work);
  }
  if (done) {
    seen_.torn_down = true;
    seen_.sandbox_up = seen_.network_ready = seen_.volumes_ready = false;
    tokens_due_.reset();
    co_return;
  }
  report(EventType::warning, "FailedKillPod", "error killing pod: " + done.error().message);
  const std::string next = "trying again";
  base::log::warn("pod.teardown_failed", {{"pod", pod_.name},
                                          {"namespace", pod_.name_space},
                                          {"error", done.error().message},
                                          {"next", next}});
  set_up_delay_ = std::clamp(set_up_delay_ * 2, retry_soon, retry_soon * 30);
  co_await context_.doors.clock.sleep_for(set_up_delay_);
}

// The logs of a pod stay readable for as long as the API has the pod.
base::Task<> PodWorker::remove_logs() {
  const auto logs = context_.paths.pod_logs(pod_.name_space, pod_.name, pod_.uid);
  auto work = [&] { return context_.doors.disk.remove_pod(logs); };
  const auto removed = co_await context_.doors.pool.run(work);
  if (!removed) {
    base::log::warn("pod.logs_kept", {{"path", logs.string()}, {"error", removed.error().message}});
  }
}

}  // namespace koi::agent
