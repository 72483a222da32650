#include "runtime/shim_sandbox.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "linux/mounts.h"
#include "linux/process.h"
#include "runtime/paths.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;

namespace {

Result<> raise_loopback() {
  const linux::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return linux::fail_errno("open socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return linux::fail_errno("raise loopback");
  return {};
}

Result<> set_sysctl(const std::string& name, const std::string& value) {
  std::string path = name;
  std::replace(path.begin(), path.end(), '.', '/');
  if (name.empty() || path.find("..") != std::string::npos || path.front() == '/') {
    return fail(Code::invalid, "sysctl '" + name + "' is damaged");
  }
  return linux::write_file("/proc/sys/" + path, value);
}

// Only what belongs to one of the pod's own namespaces may be set, or the host would change.
bool belongs_to_pod(const PodSandboxSpec& spec, const std::string& name) {
  if (name.starts_with("net.")) return !spec.host_network;
  const bool ipc = name.starts_with("kernel.shm") || name.starts_with("kernel.msg") ||
                   name == "kernel.sem" || name.starts_with("fs.mqueue.");
  return ipc && !spec.host_ipc;
}

Result<> set_sysctls(const PodSandboxSpec& spec) {
  if (!spec.host_network) {
    // Containers may listen on any port and ping without privileges, as engines have it by default.
    (void)set_sysctl("net.ipv4.ip_unprivileged_port_start", "0");
    (void)set_sysctl("net.ipv4.ping_group_range", "0 2147483647");
  }
  for (const auto& [name, value] : spec.sysctls) {
    if (!belongs_to_pod(spec, name)) {
      return fail(Code::invalid, "sysctl '" + name + "' is not of the pod's own namespaces");
    }
    if (auto done = set_sysctl(name, value); !done) {
      return fail(std::move(done).error().during("set sysctl '" + name + "'"));
    }
  }
  return {};
}

Result<> mount_shared_memory(const PodSandboxSpec& spec, const base::Path& pod_directory) {
  const base::Path target = paths::shared_memory(pod_directory);
  if (::mkdir(target.c_str(), 0755) != 0 && errno != EEXIST) {
    return linux::fail_errno("make", target);
  }
  const std::string options = "mode=1777,size=" + std::to_string(spec.shm_bytes_max);
  return linux::mount_filesystem("tmpfs", "shm", target, MS_NOSUID | MS_NODEV | MS_NOEXEC, options);
}

}  // namespace

Result<Sandbox> enter_sandbox(const PodSandboxSpec& spec, const base::Path& pod_directory) {
  Sandbox sandbox;
  auto host_mounts = linux::open_file("/proc/self/ns/mnt", O_RDONLY);
  if (!host_mounts) return fail(std::move(host_mounts).error());
  sandbox.host_mounts = std::move(*host_mounts);
  int flags = CLONE_NEWNS;
  if (!spec.host_network) flags |= CLONE_NEWNET | CLONE_NEWUTS;
  if (!spec.host_ipc) flags |= CLONE_NEWIPC;
  if (::unshare(flags) != 0) return linux::fail_errno("make namespaces");
  // What the agent mounts on the host later still shows here, and nothing goes the other way.
  if (auto done = linux::set_propagation("/", MS_SLAVE | MS_REC); !done) {
    return fail(std::move(done).error());
  }
  if (!spec.host_network) {
    if (!spec.hostname.empty() && ::sethostname(spec.hostname.c_str(), spec.hostname.size()) != 0) {
      return linux::fail_errno("set hostname '" + spec.hostname + "'");
    }
    if (auto done = raise_loopback(); !done) return fail(std::move(done).error());
  }
  if (auto done = set_sysctls(spec); !done) return fail(std::move(done).error());
  if (!spec.host_ipc) {
    if (auto done = mount_shared_memory(spec, pod_directory); !done) {
      return fail(std::move(done).error());
    }
  }
  if (spec.share_process_namespace && !spec.host_pid) {
    if (auto done = start_pod_init(sandbox); !done) return fail(std::move(done).error());
  }
  return sandbox;
}

Result<> start_pod_init(Sandbox& sandbox) {
  auto child = linux::clone_process({.namespaces = CLONE_NEWPID});
  if (!child) return fail(std::move(child).error());
  if (child->pid != 0) {
    sandbox.pod_init = std::move(child->pidfd);
    sandbox.pod_init_pid = child->pid;
    return {};
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_NAME, "koi-pod-init", 0, 0, 0);
  ::syscall(SYS_close_range, 0U, ~0U, 0U);
  linux::reset_signals();
  // Blocked, the signal waits for us even when it comes between the two calls below.
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::sigwaitinfo(&children, nullptr);
  }
}

}  // namespace koi::runtime
