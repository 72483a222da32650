#pragma once

#include "linux/cgroup.h"
#include "linux/fd.h"
#include "runtime/pod_runtime.h"

// What the containers of a pod share, made in and held by the calling process.
namespace koi::runtime {

struct Sandbox {
  linux::UniqueFd host_mounts;  // the mount namespace that the agent lives in
  linux::UniqueFd pod_init;     // process 1 of the shared PID namespace, if there is one
  std::int64_t pod_init_pid = 0;
};

// Moves the calling process into the pod's namespaces: network with loopback up, IPC, UTS, and a
// mount namespace of its own in which the pod's shared memory is mounted.
base::Result<Sandbox> enter_sandbox(const PodSandboxSpec& spec, const base::Path& pod_directory);

// Starts the process that keeps a shared PID namespace and reaps in it.
base::Result<> start_pod_init(Sandbox& sandbox);

}  // namespace koi::runtime
