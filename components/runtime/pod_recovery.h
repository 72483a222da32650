#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "linux/cgroup.h"
#include "linux/fd.h"
#include "runtime/records.h"

// What can be done to a pod from outside its shim. Everything here blocks and can be repeated.
namespace koi::runtime {

// True while the shim that wrote the pod's record runs.
bool shim_is_running(const PodOnDisk& pod);

// For a pod whose shim is dead or does not answer: kills what is left of it and gives every
// container without an exit one, with code 137. Returns what is on disk then.
base::Result<PodOnDisk> bury_pod(const linux::CgroupTree& tree, const std::string& cgroup_parent,
                                 const base::Path& pod_directory);

// Kills the pod's shim and processes, if any are left, and removes its cgroup and its directory.
base::Result<> erase_pod(const linux::CgroupTree& tree, const std::string& cgroup_parent,
                         const base::Path& pod_directory);

// Starts a shim and waits until it listens.
base::Result<> start_shim(const std::vector<std::string>& command, const base::Path& pod_directory,
                          const std::string& cgroup_parent);

// Connects to a pod's shim; not_found or unavailable when none listens.
base::Result<linux::UniqueFd> connect_shim(const base::Path& pod_directory);

// Deletes the files of removed containers.
void empty_trash(const base::Path& pod_directory);

}  // namespace koi::runtime
