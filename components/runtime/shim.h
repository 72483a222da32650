#pragma once

#include <string>

#include "linux/fd.h"

// The process that keeps one pod: it holds the pod's shared namespaces, is the parent of its
// containers, writes their logs and their exits, and answers the agent. It outlives the agent.
namespace koi::runtime {

struct ShimOptions {
  linux::Path pod_directory;  // with spec.json in it
  std::string cgroup_parent = "kubepods";
};

// `koi shim --dir DIR [--cgroup-parent NAME]`: starts a shim for the pod in the directory, in a
// process of its own, and returns. Standard output gets "ok" once it answers, else the reason why
// not. Returns the exit code.
int run_shim_command(int argc, char** argv);

}  // namespace koi::runtime
