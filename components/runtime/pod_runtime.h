#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

// The door through which the agent runs pods. Real: a shim process per pod. Hollow: in simulations.
namespace koi::runtime {

// One bind mount into a container. Source is an absolute path on the host.
struct BindMount {
  base::Path source;
  std::string target;    // absolute path inside the container
  std::string sub_path;  // resolved below source without leaving it; empty: source itself
  bool read_only = false;
  enum class Propagation { none, host_to_container, bidirectional };
  Propagation propagation = Propagation::none;
};

// Limits of one cgroup; absent means unlimited.
struct Resources {
  std::optional<std::int64_t> memory_bytes_max;
  std::optional<std::int64_t> cpu_shares;        // cgroup v1 scale, 2..262144
  std::optional<std::int64_t> cpu_quota_micros;  // per 100 ms period
  std::optional<std::int64_t> pids_max;
};

// Who the processes run as. The image's default fills what the pod leaves open.
struct User {
  std::string image_user;  // "uid", "name", "uid:gid", ...: read from the image's passwd and group
  std::optional<std::int64_t> uid;
  std::optional<std::int64_t> gid;
  std::vector<std::int64_t> supplementary_gids;
};

struct SecurityOptions {
  bool privileged = false;
  bool read_only_root = false;
  bool allow_privilege_escalation = true;
  bool seccomp_unconfined = false;
  bool unmasked_proc = false;
  bool run_as_non_root = false;
  std::vector<std::string> capabilities_add;  // "NET_ADMIN", "ALL"
  std::vector<std::string> capabilities_drop;
};

struct ContainerSpec {
  std::string name;
  std::uint32_t attempt = 0;  // the pod's restart count of this container: part of its identity
  std::vector<base::Path> layers;  // overlay lower directories, topmost first
  std::vector<std::string> args;   // entrypoint and command, after the pod's overrides
  std::vector<std::string> env;    // "NAME=value"
  std::string working_dir = "/";
  User user;
  SecurityOptions security;
  Resources resources;
  std::vector<BindMount> mounts;
  std::string termination_message_path = "/dev/termination-log";
  base::Path log_path;  // CRI format; made with its directories
  std::uint64_t log_bytes_max = 10 * 1024 * 1024;
  std::uint32_t log_files_max = 5;
  int oom_score_adj = 0;
  bool tty = false;
  bool stdin_open = false;
};

struct PodSandboxSpec {
  std::string uid;
  std::string name;
  std::string name_space;
  std::string hostname;
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool share_process_namespace = false;
  std::map<std::string, std::string> sysctls;
  Resources resources;
  std::string qos_class;  // "guaranteed", "burstable", "besteffort": the cgroup's parent
  std::int64_t shm_bytes_max = 64 * 1024 * 1024;
};

struct ContainerExit {
  int code = 0;
  int signal = 0;  // 0 when the process exited by itself
  bool out_of_memory = false;
  base::WallTime started;
  base::WallTime finished;
  std::string message;      // the termination message, at most 4096 bytes
  std::string start_error;  // why the process never ran; empty when it did
};

struct ContainerState {
  std::string name;
  std::uint32_t attempt = 0;
  std::string id;  // 64 hexadecimal digits
  std::int64_t pid = 0;
  base::WallTime started;
  std::optional<ContainerExit> exit;  // set once it has ended
};

struct PodState {
  PodSandboxSpec spec;
  std::int64_t shim_pid = 0;
  bool shim_alive = true;
  base::Path network_namespace;  // "/proc/<pid>/ns/net"; empty with host_network
  std::vector<ContainerState> containers;
};

struct ContainerExited {
  std::string pod_uid;
  ContainerState container;
};
struct PodLost {  // the shim is gone; its containers were killed
  std::string pod_uid;
};
using RuntimeEvent = std::variant<ContainerExited, PodLost>;

struct ExecResult {
  int exit_code = 0;
  std::string output;  // stdout and stderr together, bounded
};

struct ContainerStats {
  std::uint64_t cpu_nanos = 0;
  std::uint64_t memory_working_set_bytes = 0;
};

// All calls on the agent's executor. Every step is idempotent.
class PodRuntime {
 public:
  virtual ~PodRuntime() = default;

  // Starts the pod's namespaces and cgroup (or finds them running). No container runs yet.
  virtual base::Task<base::Result<PodState>> start_pod(const PodSandboxSpec& spec) = 0;

  // Starts one container. A process that cannot be executed is an exit with start_error, not an
  // error of this call; errors are failures of the node (no space, no cgroup).
  virtual base::Task<base::Result<ContainerState>> start_container(const std::string& pod_uid,
                                                                   const ContainerSpec& spec) = 0;

  // Sends a signal to the container's first process. Succeeds when it has already ended.
  virtual base::Task<base::Result<>> signal_container(const std::string& pod_uid,
                                                      const std::string& container_id,
                                                      int signal_number) = 0;

  // Removes an ended container's root, keeping its log.
  virtual base::Task<base::Result<>> remove_container(const std::string& pod_uid,
                                                      const std::string& container_id) = 0;

  // Kills what runs and removes every trace of the pod but its logs and volumes.
  virtual base::Task<base::Result<>> stop_pod(const std::string& pod_uid) = 0;

  // Runs a command in a running container and waits for it, at most `deadline`.
  virtual base::Task<base::Result<ExecResult>> exec(const std::string& pod_uid,
                                                    const std::string& container_id,
                                                    const std::vector<std::string>& args,
                                                    base::Duration deadline) = 0;

  virtual base::Task<base::Result<ContainerStats>> stats(const std::string& pod_uid,
                                                         const std::string& container_id) = 0;

  // Every pod of this node, found on disk and reconnected: what a restarted agent adopts.
  virtual base::Task<base::Result<std::vector<PodState>>> list() = 0;

  // The next exit or loss, in order; waits for one.
  virtual base::Task<RuntimeEvent> next_event() = 0;
};

}  // namespace koi::runtime
