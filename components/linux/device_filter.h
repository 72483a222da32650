#pragma once

#include <vector>

#include "linux/cgroup.h"

// The device rules of a cgroup v2 group: a BPF program, since v2 has no devices controller.
namespace koi::linux {

// The program as an array of struct bpf_insn.
std::vector<std::uint64_t> compile_device_filter(const std::vector<DeviceRule>& rules);

// Attaches the program to the group's directory. It goes away with the group.
base::Result<> attach_device_filter(const Path& group, const std::vector<DeviceRule>& rules);

}  // namespace koi::linux
