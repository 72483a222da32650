#include "agent/hollow.h"

#include <algorithm>
#include <array>
#include <csignal>

namespace koi::agent {

using base::Code;
using base::Result;
using base::Task;

HollowRuntime::HollowRuntime(const base::Executor& executor, base::Clock& clock,
                             base::Random& random)
    : clock_(clock), random_(random), changed_(executor) {}

Result<> HollowRuntime::begin(const std::string& call) {
  calls.push_back(call);
  if (!fault) return {};
  auto error = fault(call);
  if (error) return base::fail(std::move(*error));
  return {};
}

Task<Result<runtime::PodState>> HollowRuntime::start_pod(const runtime::PodSandboxSpec& spec) {
  auto begun = begin("start pod " + spec.name);
  if (!begun) co_return base::fail(std::move(begun).error());
  auto& pod = pods_[spec.uid];
  pod.spec = spec;
  if (pod.shim_pid == 0) pod.shim_pid = next_pid_++;
  pod.network_namespace = "/proc/" + std::to_string(pod.shim_pid) + "/ns/net";
  co_return pod;
}

Task<Result<runtime::ContainerState>> HollowRuntime::start_container(
    const std::string& pod_uid, const runtime::ContainerSpec& spec) {
  auto begun = begin("start container " + spec.name);
  if (!begun) co_return base::fail(std::move(begun).error());
  const auto found = pods_.find(pod_uid);
  if (found == pods_.end()) co_return base::fail(Code::not_found, "no such pod");
  for (const auto& container : found->second.containers) {
    if (container.name == spec.name && container.attempt == spec.attempt) co_return container;
  }
  runtime::ContainerState state;
  state.name = spec.name;
  state.attempt = spec.attempt;
  std::array<std::uint8_t, 32> id{};
  random_.fill(id);
  for (const auto byte : id) {
    constexpr std::string_view digits = "0123456789abcdef";
    state.id += digits[byte >> 4];
    state.id += digits[byte & 15];
  }
  state.pid = next_pid_++;
  state.started = clock_.wall_now();
  found->second.containers.push_back(state);
  specs_[pod_uid + "/" + spec.name] = spec;
  co_return state;
}

runtime::ContainerState* HollowRuntime::find_container(const std::string& pod_uid,
                                                       const std::string& id) {
  const auto found = pods_.find(pod_uid);
  if (found == pods_.end()) return nullptr;
  for (auto& container : found->second.containers) {
    if (container.id == id) return &container;
  }
  return nullptr;
}

Task<Result<>> HollowRuntime::signal_container(const std::string& pod_uid,
                                               const std::string& container_id, int signal_number) {
  auto* container = find_container(pod_uid, container_id);
  const std::string name = container ? container->name : "?";
  auto begun = begin("signal " + name + " " + std::to_string(signal_number));
  if (!begun) co_return begun;
  if (!container || container->exit) co_return Result<>{};
  if (signal_number != SIGKILL && stubborn.contains(name)) co_return Result<>{};
  runtime::ContainerExit exit;
  exit.signal = signal_number == SIGKILL ? SIGKILL : 0;
  exit_container(pod_uid, name, exit);
  co_return Result<>{};
}

Task<Result<>> HollowRuntime::remove_container(const std::string& pod_uid,
                                               const std::string& container_id) {
  const auto found = pods_.find(pod_uid);
  if (found == pods_.end()) co_return Result<>{};
  std::erase_if(found->second.containers,
                [&](const auto& container) { return container.id == container_id; });
  co_return Result<>{};
}

Task<Result<>> HollowRuntime::stop_pod(const std::string& pod_uid) {
  auto begun = begin("stop pod");
  if (!begun) co_return begun;
  pods_.erase(pod_uid);
  co_return Result<>{};
}

Task<Result<runtime::ExecResult>> HollowRuntime::exec(const std::string& pod_uid,
                                                      const std::string& container_id,
                                                      const std::vector<std::string>& args,
                                                      base::Duration /*deadline*/) {
  const auto* container = find_container(pod_uid, container_id);
  auto begun = begin("exec " + (container ? container->name : std::string("?")));
  if (!begun) co_return base::fail(std::move(begun).error());
  if (on_exec) co_return on_exec(args);
  co_return runtime::ExecResult{};
}

Task<Result<runtime::ContainerStats>> HollowRuntime::stats(const std::string& /*pod_uid*/,
                                                           const std::string& /*id*/) {
  co_return runtime::ContainerStats{};
}

Task<Result<std::vector<runtime::PodState>>> HollowRuntime::list() {
  // What nobody has heard of yet is in the list already.
  events_.clear();
  std::vector<runtime::PodState> result;
  for (const auto& [uid, pod] : pods_) result.push_back(pod);
  co_return result;
}

Task<runtime::RuntimeEvent> HollowRuntime::next_event() {
  while (events_.empty()) co_await changed_.wait();
  auto event = std::move(events_.front());
  events_.pop_front();
  co_return event;
}

void HollowRuntime::announce(runtime::RuntimeEvent event) {
  events_.push_back(std::move(event));
  changed_.notify_all();
}

void HollowRuntime::exit_container(const std::string& pod_uid, const std::string& name,
                                   const runtime::ContainerExit& exit) {
  const auto found = pods_.find(pod_uid);
  if (found == pods_.end()) return;
  for (auto& container : found->second.containers) {
    if (container.name != name || container.exit) continue;
    container.exit = exit;
    container.exit->started = container.started;
    container.exit->finished = clock_.wall_now();
    announce(runtime::ContainerExited{pod_uid, container});
  }
}

void HollowRuntime::lose_pod(const std::string& pod_uid) {
  const auto found = pods_.find(pod_uid);
  if (found == pods_.end()) return;
  found->second.shim_alive = false;
  announce(runtime::PodLost{pod_uid});
}

void HollowRuntime::reboot() {
  pods_.clear();
  events_.clear();
}

const runtime::PodState* HollowRuntime::find_pod(const std::string& pod_uid) const {
  const auto found = pods_.find(pod_uid);
  return found == pods_.end() ? nullptr : &found->second;
}

const runtime::ContainerSpec* HollowRuntime::find_spec(const std::string& pod_uid,
                                                       const std::string& name) const {
  const auto found = specs_.find(pod_uid + "/" + name);
  return found == specs_.end() ? nullptr : &found->second;
}

std::optional<images::Image> HollowImages::find(const std::string& reference) const {
  if (missing.contains(reference)) return std::nullopt;
  images::Image image;
  image.id = "sha256:" + std::string(64, '0');
  image.names = {reference};
  image.config = config;
  if (image.config.entrypoint.empty() && image.config.command.empty()) {
    image.config.command = {"/bin/run"};
  }
  image.layers = {"/layers/0"};
  return image;
}

Task<Result<std::vector<images::Image>>> HollowImages::import(const base::Path& /*archive*/,
                                                              const std::string& name) {
  missing.erase(name);
  co_return std::vector<images::Image>{};
}

Task<Result<>> HollowImages::remove(const std::string& reference) {
  missing.insert(reference);
  co_return Result<>{};
}

Result<> HollowNetwork::start(const network::NodeNetworkConfig& config) {
  prefix_ = config.pod_cidr.substr(0, config.pod_cidr.rfind('.') + 1);
  return {};
}

Task<Result<network::PodAddress>> HollowNetwork::attach(std::string pod_uid,
                                                        std::string /*netns_path*/,
                                                        std::vector<network::HostPort> /*ports*/) {
  auto& ip = addresses[pod_uid];
  if (ip.empty()) ip = prefix_ + std::to_string(next_++);
  network::PodAddress address;
  address.ip = ip;
  address.gateway = prefix_ + "1";
  co_return address;
}

Task<Result<>> HollowNetwork::detach(std::string pod_uid) {
  addresses.erase(pod_uid);
  co_return Result<>{};
}

Task<Result<>> HollowNetwork::reclaim(std::vector<std::string> live_pod_uids) {
  std::erase_if(addresses, [&](const auto& entry) {
    return std::ranges::find(live_pod_uids, entry.first) == live_pod_uids.end();
  });
  co_return Result<>{};
}

Result<> HollowNetwork::remove_all() {
  addresses.clear();
  return {};
}

Result<> HollowDisk::make_directory(const base::Path& path, std::optional<std::int64_t> /*group*/) {
  directories.insert(path.string());
  return {};
}

Result<> HollowDisk::make_memory(const base::Path& path, std::optional<std::int64_t> /*bytes_max*/,
                                 std::optional<std::int64_t> /*group*/) {
  directories.insert(path.string());
  return {};
}

Result<> HollowDisk::publish(const base::Path& volume, const VolumeContent& content,
                             std::optional<std::int64_t> /*group*/) {
  volumes[volume.string()] = content;
  return {};
}

Result<> HollowDisk::prepare_host_path(const base::Path& /*path*/, const std::string& /*type*/) {
  return {};
}

Result<> HollowDisk::make_sub_path(const base::Path& volume, const std::string& sub_path) {
  directories.insert((volume / sub_path).string());
  return {};
}

Result<> HollowDisk::write_file(const base::Path& path, std::string_view content,
                                std::uint32_t /*mode*/) {
  files[path.string()] = content;
  return {};
}

std::vector<std::string> HollowDisk::list(const base::Path& directory) {
  std::set<std::string> names;
  const auto prefix = directory.string() + "/";
  const auto add = [&](const std::string& path) {
    if (path.starts_with(prefix)) {
      names.insert(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
    }
  };
  for (const auto& path : directories) add(path);
  for (const auto& [path, content] : files) add(path);
  return {names.begin(), names.end()};
}

Result<> HollowDisk::drop_logs(const base::Path& /*logs*/, std::uint32_t /*oldest_kept*/) {
  return {};
}

Result<std::string> HollowDisk::log_tail(const base::Path& log) {
  const auto found = files.find(log.string());
  return found == files.end() ? std::string() : found->second;
}

Result<> HollowDisk::remove_pod(const base::Path& pod_directory) {
  const auto below = [prefix = pod_directory.string()](const std::string& path) {
    return path.starts_with(prefix);
  };
  std::erase_if(directories, below);
  std::erase_if(volumes, [&](const auto& entry) { return below(entry.first); });
  std::erase_if(files, [&](const auto& entry) { return below(entry.first); });
  return {};
}

Task<ProbeOutcome> HollowProber::http_get(HttpProbe /*probe*/, base::Duration /*timeout*/) {
  ++calls;
  co_return answer;
}

Task<ProbeOutcome> HollowProber::tcp_connect(std::string /*host*/, std::uint16_t /*port*/,
                                             base::Duration /*timeout*/) {
  ++calls;
  co_return answer;
}

SystemInfo HollowMachine::system() const {
  SystemInfo info;
  info.machine_id = "0123456789abcdef0123456789abcdef";
  info.system_uuid = "01234567-89ab-cdef-0123-456789abcdef";
  info.boot_id = "76543210-89ab-cdef-0123-456789abcdef";
  info.kernel_version = "6.1.0";
  info.os_image = "Hollow Linux";
  info.architecture = "amd64";
  return info;
}

MachineCapacity HollowMachine::capacity() const {
  MachineCapacity capacity;
  capacity.cpu_milli = 4000;
  capacity.memory_bytes = std::int64_t{8} << 30;
  capacity.storage_bytes = std::int64_t{100} << 30;
  capacity.huge_pages_bytes = {{"1Gi", 0}, {"2Mi", 0}};
  return capacity;
}

}  // namespace koi::agent
