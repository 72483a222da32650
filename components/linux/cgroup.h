#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux/fd.h"
#include "linux/mounts.h"

// Control groups in the kernel's vocabulary, the same calls for v2, v1 and hybrid machines. A group
// is named by its path below the hierarchy roots: "kubepods/burstable/pod123/abc".
namespace koi::linux {

struct CgroupHierarchy {
  Path mount;
  bool v2 = false;
  std::vector<std::string> controllers;  // v2: those available at its root
};

// Where the controllers that koi uses are: one v2 hierarchy, or v1 ones, or both side by side.
struct CgroupTree {
  std::vector<CgroupHierarchy> hierarchies;

  // The hierarchy that has the controller; null when none has.
  const CgroupHierarchy* with(std::string_view controller) const;
  const CgroupHierarchy* unified() const;  // the v2 one; null when there is none
};

// Reads the mounts of this machine. Fails with unsupported when there is no memory controller.
base::Result<CgroupTree> detect_cgroups();
// The same from text; `v2_controllers` is the content of cgroup.controllers at the v2 mount.
CgroupTree parse_cgroups(std::string_view mountinfo, std::string_view v2_controllers);

// Makes the group and its parents in every hierarchy. Succeeds when it exists.
base::Result<> create_cgroup(const CgroupTree& tree, const std::string& group);
// Removes the group and the groups below it. Succeeds when it is gone; fails while processes live.
base::Result<> remove_cgroup(const CgroupTree& tree, const std::string& group);

struct DeviceRule {
  bool allow = false;
  char type = 'a';  // 'a' all, 'b' block, 'c' character
  std::optional<std::int64_t> major;
  std::optional<std::int64_t> minor;
  std::string access = "rwm";
};

// What a container may open unless it is privileged: the standard character devices, and mknod.
std::vector<DeviceRule> default_device_rules();

// What is absent stays as it is.
struct CgroupLimits {
  std::optional<std::int64_t> memory_bytes_max;       // -1: unlimited
  std::optional<std::int64_t> memory_swap_bytes_max;  // memory and swap together; -1: unlimited
  std::optional<std::int64_t> memory_bytes_low;
  std::optional<std::int64_t> cpu_shares;         // 2..262144; v2 gets the matching weight
  std::optional<std::int64_t> cpu_quota_micros;   // per period; -1: unlimited
  std::optional<std::int64_t> cpu_period_micros;  // default 100,000
  std::optional<std::int64_t> pids_max;           // -1: unlimited
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::vector<DeviceRule> devices;  // in order, later wins; none: every device
  bool kill_group_on_oom = false;   // v2 only: one out-of-memory kill ends all of the group
};
base::Result<> set_limits(const CgroupTree& tree, const std::string& group,
                          const CgroupLimits& limits);

// cpu.weight (1..10000) that stands for cpu.shares (2..262144).
std::int64_t weight_from_shares(std::int64_t shares);

// Moves the calling process, which has one thread, into the group in every hierarchy. With
// `skip_unified` it is there in v2 already, having been cloned into it.
base::Result<> join_cgroup(const CgroupTree& tree, const std::string& group, bool skip_unified);

// The group's v2 directory, to clone into; an empty descriptor where there is no v2.
base::Result<UniqueFd> open_unified(const CgroupTree& tree, const std::string& group);

// Processes of the group and of all groups below it; empty when it is gone.
std::vector<std::int64_t> cgroup_processes(const CgroupTree& tree, const std::string& group);

// Kills every process of the group and below, also those that are just being forked. Returns when
// signals are sent, not when the processes are gone. Succeeds when the group is gone.
base::Result<> kill_cgroup(const CgroupTree& tree, const std::string& group);

// Freezes or thaws. Fails with unsupported where no freezer is.
base::Result<> freeze_cgroup(const CgroupTree& tree, const std::string& group, bool frozen);

// True while the group is frozen by freeze_cgroup().
bool cgroup_is_frozen(const CgroupTree& tree, const std::string& group);

struct CgroupStats {
  std::uint64_t cpu_nanos = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_working_set_bytes = 0;  // without inactive file pages
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t pids = 0;
  std::uint64_t oom_kills = 0;
};
base::Result<CgroupStats> read_cgroup_stats(const CgroupTree& tree, const std::string& group);

// How many processes of the group the kernel killed for want of memory.
std::uint64_t read_oom_kills(const CgroupTree& tree, const std::string& group);

// The number after `key ` in a "key value" file; 0 when it is missing.
std::uint64_t parse_flat_keyed(std::string_view text, std::string_view key);

}  // namespace koi::linux
