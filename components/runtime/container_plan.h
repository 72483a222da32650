#pragma once

#include <string>

#include "linux/capabilities.h"
#include "runtime/launch.h"
#include "runtime/pod_runtime.h"

// From what a pod asks to what the launcher does. Pure but for privileged(), which reads /dev.
namespace koi::runtime {

// The capabilities the container gets: the default 14, without what is dropped, with what is added.
// Fails with invalid for an unknown name.
base::Result<linux::CapabilityMask> container_capabilities(const SecurityOptions& options);

// The limits of a cgroup as the kernel takes them.
linux::CgroupLimits cgroup_limits(const Resources& resources);

// "kubepods/burstable/pod<uid>" below a parent; guaranteed pods sit directly below it.
std::string pod_cgroup(const std::string& parent, const PodSandboxSpec& pod);

struct ContainerPlace {
  base::Path pod_directory;
  base::Path directory;  // the container's own
  std::string cgroup;
};

// The plan of a container in a pod whose shim holds the shared namespaces.
base::Result<LaunchPlan> plan_container(const PodSandboxSpec& pod, const ContainerSpec& container,
                                        const ContainerPlace& place);

// Every device of the host, for privileged containers.
std::vector<DeviceSpec> host_devices();

}  // namespace koi::runtime
