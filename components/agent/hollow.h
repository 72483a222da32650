#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "agent/machine_facts.h"
#include "agent/prober.h"
#include "agent/volume_disk.h"
#include "base/event.h"
#include "base/random.h"
#include "base/time.h"
#include "images/image_store.h"
#include "network/pod_network.h"
#include "runtime/pod_runtime.h"

// An agent's doors with nothing behind them, for tests and simulated nodes: everything succeeds at
// once unless told otherwise, and what was asked for is remembered. What a real node keeps across a
// restart of koi is kept here too, so a simulation gives the same doors to the next Agent.
namespace koi::agent {

class HollowRuntime final : public runtime::PodRuntime {
 public:
  HollowRuntime(const base::Executor& executor, base::Clock& clock, base::Random& random);

  base::Task<base::Result<runtime::PodState>> start_pod(
      const runtime::PodSandboxSpec& spec) override;
  base::Task<base::Result<runtime::ContainerState>> start_container(
      const std::string& pod_uid, const runtime::ContainerSpec& spec) override;
  base::Task<base::Result<>> signal_container(const std::string& pod_uid,
                                              const std::string& container_id,
                                              int signal_number) override;
  base::Task<base::Result<>> remove_container(const std::string& pod_uid,
                                              const std::string& container_id) override;
  base::Task<base::Result<>> stop_pod(const std::string& pod_uid) override;
  base::Task<base::Result<runtime::ExecResult>> exec(const std::string& pod_uid,
                                                     const std::string& container_id,
                                                     const std::vector<std::string>& args,
                                                     base::Duration deadline) override;
  base::Task<base::Result<runtime::ContainerStats>> stats(const std::string& pod_uid,
                                                          const std::string& id) override;
  base::Task<base::Result<std::vector<runtime::PodState>>> list() override;
  base::Task<runtime::RuntimeEvent> next_event() override;

  // What tests do and look at.
  // Ends the newest run of a container, as if its process had exited.
  void exit_container(const std::string& pod_uid, const std::string& name,
                      const runtime::ContainerExit& exit);
  void lose_pod(const std::string& pod_uid);
  // Every pod dies and is forgotten, as in a reboot.
  void reboot();
  const runtime::PodState* find_pod(const std::string& pod_uid) const;
  // Where the container's newest spec is; null when it never started.
  const runtime::ContainerSpec* find_spec(const std::string& pod_uid,
                                          const std::string& name) const;
  std::size_t pod_count() const { return pods_.size(); }
  // "start pod", "start container app", "signal app 15", "stop pod", ...: in order.
  std::vector<std::string> calls;
  // An error becomes the answer; called with the words of `calls`.
  std::function<std::optional<base::Error>(const std::string& call)> fault;
  // Answers exec; success without output when empty.
  std::function<base::Result<runtime::ExecResult>(const std::vector<std::string>& args)> on_exec;
  // Containers of these names ignore SIGTERM.
  std::set<std::string> stubborn;

 private:
  base::Result<> begin(const std::string& call);
  runtime::ContainerState* find_container(const std::string& pod_uid, const std::string& id);
  void announce(runtime::RuntimeEvent event);

  base::Clock& clock_;
  base::Random& random_;
  base::Event changed_;
  std::map<std::string, runtime::PodState> pods_;
  std::map<std::string, runtime::ContainerSpec> specs_;  // "<uid>/<name>"
  std::deque<runtime::RuntimeEvent> events_;
  std::int64_t next_pid_ = 1000;
};

// Has every image, unless told which it lacks.
class HollowImages final : public images::ImageStore {
 public:
  std::optional<images::Image> find(const std::string& reference) const override;
  std::vector<images::Image> list() const override { return {}; }
  base::Task<base::Result<std::vector<images::Image>>> import(const base::Path& archive,
                                                              const std::string& name) override;
  base::Task<base::Result<>> remove(const std::string& reference) override;

  std::set<std::string> missing;
  images::ImageConfig config;
};

// Hands out addresses of the range it is started with.
class HollowNetwork final : public network::PodNetwork {
 public:
  base::Result<> start(const network::NodeNetworkConfig& config) override;
  base::Task<base::Result<network::PodAddress>> attach(
      std::string pod_uid, std::string netns_path,
      std::vector<network::HostPort> host_ports) override;
  base::Task<base::Result<>> detach(std::string pod_uid) override;
  base::Task<base::Result<>> reclaim(std::vector<std::string> live_pod_uids) override;
  base::Result<> remove_all() override;

  std::map<std::string, std::string> addresses;  // by pod uid

 private:
  std::string prefix_ = "10.42.0.";
  int next_ = 2;
};

// Remembers what would be on the disk.
class HollowDisk final : public VolumeDisk {
 public:
  base::Result<> make_directory(const base::Path& path, std::optional<std::int64_t> group) override;
  base::Result<> make_memory(const base::Path& path, std::optional<std::int64_t> bytes_max,
                             std::optional<std::int64_t> group) override;
  base::Result<> publish(const base::Path& volume, const VolumeContent& content,
                         std::optional<std::int64_t> group) override;
  base::Result<> prepare_host_path(const base::Path& path, const std::string& type) override;
  base::Result<> make_sub_path(const base::Path& volume, const std::string& sub_path) override;
  base::Result<> write_file(const base::Path& path, std::string_view content,
                            std::uint32_t mode) override;
  std::vector<std::string> list(const base::Path& directory) override;
  base::Result<> drop_logs(const base::Path& container_logs, std::uint32_t oldest_kept) override;
  base::Result<std::string> log_tail(const base::Path& log) override;
  base::Result<> remove_pod(const base::Path& pod_directory) override;

  std::set<std::string> directories;
  std::map<std::string, VolumeContent> volumes;
  std::map<std::string, std::string> files;
};

// Answers every probe as it is told to.
class HollowProber final : public Prober {
 public:
  base::Task<ProbeOutcome> http_get(HttpProbe probe, base::Duration timeout) override;
  base::Task<ProbeOutcome> tcp_connect(std::string host, std::uint16_t port,
                                       base::Duration timeout) override;

  ProbeOutcome answer{true, ""};
  std::size_t calls = 0;
};

// A machine of 4 cores and 8 GiB.
class HollowMachine final : public MachineFacts {
 public:
  SystemInfo system() const override;
  MachineCapacity capacity() const override;
  MachinePressure pressure() const override { return left; }
  std::string hosts_file() const override { return "127.0.0.1\tlocalhost\n"; }
  std::string resolv_conf() const override { return "nameserver 192.0.2.53\n"; }

  MachinePressure left{std::int64_t{4} << 30, std::int64_t{50} << 30, 32'768, 100};
};

}  // namespace koi::agent
