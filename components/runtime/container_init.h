#pragma once

#include "runtime/launch.h"

// The child's side of launch(): from a fresh clone to execve. Internal to the component.
namespace koi::runtime {

// Why setting up failed, and who is to blame.
struct InitFailure {
  ChannelMessage::Kind blame = ChannelMessage::Kind::node_error;
  std::string text;
};

// Never returns: executes the program, or tells the channel why not and exits with 127.
[[noreturn]] void run_container_init(const linux::CgroupTree& tree, const LaunchPlan& plan,
                                     bool in_unified, int channel);
[[noreturn]] void run_exec_init(const linux::CgroupTree& tree, const LaunchPlan& plan,
                                const ProcessSpec& process, int container_pidfd, int channel);

// Mounts the root and everything below it and enters it. Errors carry the blame in their code:
// invalid means the container's own fault.
base::Result<> enter_root(const linux::CgroupTree& tree, const LaunchPlan& plan);

// Opens a new terminal of this mount namespace as 0, 1 and 2, makes it the controlling one and
// /dev/console, and returns its master.
base::Result<linux::UniqueFd> open_terminal();

}  // namespace koi::runtime
