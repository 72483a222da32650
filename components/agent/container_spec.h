#pragma once

#include <map>
#include <string>

#include "agent/environment.h"
#include "agent/pod_view.h"
#include "images/image_store.h"
#include "runtime/pod_runtime.h"

// What the runtime is asked for, made from the pod's spec. Pure.
namespace koi::agent {

struct ContainerInputs {
  const PodView* pod = nullptr;
  const ContainerView* container = nullptr;
  const images::Image* image = nullptr;
  const Environment* environment = nullptr;
  std::uint32_t attempt = 0;
  std::map<std::string, base::Path> volumes;  // host directories by volume name
  base::Path hosts;                           // bound to /etc/hosts, ...
  base::Path hostname;
  base::Path resolv_conf;
  base::Path log_path;
  std::int64_t node_memory_bytes = 0;
};

// Fails with invalid and the text of a CreateContainerConfigError.
base::Result<runtime::ContainerSpec> build_container_spec(const ContainerInputs& inputs);

struct SandboxInputs {
  const PodView* pod = nullptr;
  std::string hostname;
  std::int64_t pids_max = 0;  // per pod; 0: unlimited
};

runtime::PodSandboxSpec build_sandbox_spec(const SandboxInputs& inputs);

// The cgroup of one container, from requests and limits.
runtime::Resources container_resources(const json::Value& container);
// The cgroup of the pod: what its containers ask for together.
runtime::Resources pod_resources(const json::Value& pod);

// How early the kernel picks the container when the node runs out of memory.
int oom_score(const json::Value& pod, const json::Value& container, std::int64_t node_memory_bytes);

// Where a mount's subPath or subPathExpr leads; empty for the volume itself. Fails with invalid
// where the path leaves the volume.
base::Result<std::string> mount_sub_path(const json::Value& mount, const Environment& environment);

// The members of spec.securityContext and the container's own, which wins.
const json::Value* security_member(const PodView& pod, const ContainerView& container,
                                   std::string_view member);

// fsGroup, if the pod has one.
std::optional<std::int64_t> volume_group(const json::Value& pod);

}  // namespace koi::agent
