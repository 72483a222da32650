#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "linux/cgroup.h"
#include "linux/fd.h"
#include "linux/process.h"
#include "runtime/spec.h"

// Starts a container's first process: the one piece of code that turns a Spec into kernel calls.
// Only for single-threaded processes with a small heap, since the child is a copy of its parent.
namespace koi::runtime {

using linux::Path;

// An overlay root; without layers the spec's root path is bound as it is.
struct RootImage {
  std::vector<Path> layers;  // topmost first
  Path upper;
  Path work;
  Path mount_point;
};

// Who the process runs as, resolved inside the container's own root.
struct UserChoice {
  std::string image_user;  // "", "uid", "name", "uid:gid", "name:group", ...
  std::optional<std::int64_t> uid;
  std::optional<std::int64_t> gid;
  std::vector<std::int64_t> supplementary_gids;
  bool must_not_be_root = false;
};

struct LaunchPlan {
  Spec spec;
  RootImage image;
  std::optional<UserChoice> user;  // in place of the ids in the spec
  std::string seccomp_program;     // compiled; empty: unconfined
  std::string cgroup;              // made and limited by the caller; empty: the caller's own
  int host_mount_namespace = -1;   // where mounts with from_host are taken from
  int pid_namespace = -1;          // joined by the child; -1: as the spec says
  std::array<int, 3> stdio = {0, 1, 2};
  bool stdio_is_terminal = false;  // the child makes a terminal and sends its master
  bool die_with_parent = false;
  Path start_gate;  // a FIFO that the child opens for writing before exec; empty: none
};

// The child runs and tells its progress over `channel`, one ChannelMessage a packet; end of file
// means that the program was executed (or that the child died).
struct Launched {
  pid_t pid = 0;
  linux::UniqueFd pidfd;
  linux::UniqueFd channel;
};

base::Result<Launched> launch(const linux::CgroupTree& tree, const LaunchPlan& plan);

// Runs one more process in a running container: its namespaces and cgroup, the plan's user and
// limits. `process` replaces the plan's.
base::Result<Launched> launch_exec(const linux::CgroupTree& tree, const LaunchPlan& plan,
                                   const ProcessSpec& process, int container_pidfd);

struct ChannelMessage {
  enum class Kind {
    terminal,     // the master comes with the packet
    ready,        // set up, waits at the gate
    start_error,  // the program cannot be run; the container is to blame
    node_error,   // the machine could not do it; a retry may work
  };
  Kind kind = Kind::node_error;
  std::string text;
};
std::string encode_channel(const ChannelMessage& message);
ChannelMessage decode_channel(std::string_view packet);

}  // namespace koi::runtime
