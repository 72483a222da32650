#include "runtime/container_plan.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "runtime/paths.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;

namespace {

bool is_all(const std::string& name) {
  return name.size() == 3 && std::toupper(static_cast<unsigned char>(name[0])) == 'A' &&
         std::toupper(static_cast<unsigned char>(name[1])) == 'L' &&
         std::toupper(static_cast<unsigned char>(name[2])) == 'L';
}

Result<linux::CapabilityMask> mask_of(const std::vector<std::string>& names) {
  linux::CapabilityMask mask = 0;
  for (const std::string& name : names) {
    if (is_all(name)) {
      mask |= linux::all_capabilities();
      continue;
    }
    auto bit = linux::capability_bit(name);
    if (!bit) return bit;
    mask |= *bit;
  }
  return mask;
}

// Later entries win, as a shell would have it, and every program sees one value.
std::vector<std::string> environment(const PodSandboxSpec& pod, const ContainerSpec& container) {
  std::vector<std::string> result;
  std::map<std::string, std::size_t, std::less<>> place;
  const auto add = [&](const std::string& entry) {
    const std::string name = entry.substr(0, entry.find('='));
    const auto [found, inserted] = place.emplace(name, result.size());
    if (inserted) {
      result.push_back(entry);
    } else {
      result[found->second] = entry;
    }
  };
  add("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  if (!pod.hostname.empty()) add("HOSTNAME=" + pod.hostname);
  if (container.tty) add("TERM=xterm");
  for (const std::string& entry : container.env) add(entry);
  return result;
}

std::vector<MountSpec> kernel_mounts(const PodSandboxSpec& pod, const ContainerSpec& container,
                                     const ContainerPlace& place) {
  const bool privileged = container.security.privileged;
  const std::string access = privileged ? "rw" : "ro";
  const base::Path memory =
      pod.host_ipc ? base::Path("/dev/shm") : paths::shared_memory(place.pod_directory);
  using Options = std::vector<std::string>;
  const auto mount = [](std::string destination, std::string type, Options options) {
    MountSpec result;
    result.destination = std::move(destination);
    result.source = type;
    result.type = std::move(type);
    result.options = std::move(options);
    return result;
  };
  std::vector<MountSpec> mounts = {
      mount("/proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mount("/sys", "sysfs", {"nosuid", "noexec", "nodev", access}),
      mount("/sys/fs/cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", access}),
      mount("/dev/shm", "bind", {"rbind", "nosuid", "noexec", "nodev", "rw"}),
  };
  mounts.back().source = memory.native();
  return mounts;
}

MountSpec volume_mount(const BindMount& bind) {
  MountSpec mount;
  mount.destination = bind.target;
  mount.type = "bind";
  mount.source = bind.source.native();
  mount.sub_path = bind.sub_path;
  mount.options = {"rbind", bind.read_only ? "ro" : "rw"};
  using Propagation = BindMount::Propagation;
  if (bind.propagation == Propagation::host_to_container) mount.options.push_back("rslave");
  if (bind.propagation == Propagation::none) mount.options.push_back("rprivate");
  if (bind.propagation == Propagation::bidirectional) {
    mount.options.push_back("rshared");
    mount.from_host = true;
  }
  return mount;
}

// Parents before what lies below them, otherwise in the order given.
std::vector<MountSpec> volume_mounts(const ContainerSpec& container, const ContainerPlace& place) {
  std::vector<MountSpec> mounts;
  for (const BindMount& bind : container.mounts) mounts.push_back(volume_mount(bind));
  if (!container.termination_message_path.empty()) {
    BindMount log;
    log.source = paths::termination_log(place.directory);
    log.target = container.termination_message_path;
    mounts.push_back(volume_mount(log));
  }
  const auto depth = [](const MountSpec& mount) {
    const base::Path path = base::Path(mount.destination).lexically_normal();
    return std::distance(path.begin(), path.end());
  };
  std::multimap<std::ptrdiff_t, MountSpec> by_depth;  // keeps the order among equals
  for (MountSpec& mount : mounts) by_depth.emplace(depth(mount), std::move(mount));
  mounts.clear();
  for (auto& [unused, mount] : by_depth) mounts.push_back(std::move(mount));
  return mounts;
}

std::vector<NamespaceSpec> own_namespaces(const PodSandboxSpec& pod) {
  // Network, IPC and UTS are the shim's, which the child is born into.
  std::vector<NamespaceSpec> namespaces = {{"mount", ""}, {"cgroup", ""}};
  if (!pod.host_pid && !pod.share_process_namespace) namespaces.push_back({"pid", ""});
  return namespaces;
}

ProcessSpec process_of(const PodSandboxSpec& pod, const ContainerSpec& container,
                       linux::CapabilityMask capabilities) {
  ProcessSpec process;
  process.terminal = container.tty;
  process.args = container.args;
  process.env = environment(pod, container);
  process.cwd = container.working_dir.empty() ? "/" : container.working_dir;
  process.capabilities.bounding = capabilities;
  process.capabilities.permitted = capabilities;
  process.capabilities.effective = capabilities;
  process.no_new_privileges =
      !container.security.allow_privilege_escalation && !container.security.privileged;
  process.oom_score_adj = container.oom_score_adj;
  return process;
}

}  // namespace

Result<linux::CapabilityMask> container_capabilities(const SecurityOptions& options) {
  if (options.privileged) return linux::all_capabilities();
  auto add = mask_of(options.capabilities_add);
  if (!add) return add;
  auto drop = mask_of(options.capabilities_drop);
  if (!drop) return drop;
  const auto named = [](const std::vector<std::string>& list) {
    return std::any_of(list.begin(), list.end(), is_all);
  };
  // "ALL" is the wide brush, single names are the fine one: a name wins over the other list's ALL.
  linux::CapabilityMask mask = linux::default_container_capabilities();
  if (named(options.capabilities_add)) mask = linux::all_capabilities();
  if (named(options.capabilities_drop)) return named(options.capabilities_add) ? 0 : *add;
  return (mask | *add) & ~*drop;
}

linux::CgroupLimits cgroup_limits(const Resources& resources) {
  linux::CgroupLimits limits;
  limits.memory_bytes_max = resources.memory_bytes_max;
  // Swap would let a container grow past its limit unseen.
  limits.memory_swap_bytes_max = resources.memory_bytes_max;
  limits.cpu_shares = resources.cpu_shares;
  limits.cpu_quota_micros = resources.cpu_quota_micros;
  limits.pids_max = resources.pids_max;
  return limits;
}

std::string pod_cgroup(const std::string& parent, const PodSandboxSpec& pod) {
  const bool direct = pod.qos_class.empty() || pod.qos_class == "guaranteed";
  return parent + (direct ? "/pod" : "/" + pod.qos_class + "/pod") + pod.uid;
}

std::vector<DeviceSpec> host_devices() {
  std::vector<DeviceSpec> devices;
  std::error_code error;
  using Iterator = std::filesystem::recursive_directory_iterator;
  for (Iterator entry("/dev", error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().native();
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      const bool own = path == "/dev/pts" || path == "/dev/shm" || path == "/dev/mqueue";
      if (own) entry.disable_recursion_pending();
      continue;
    }
    if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)) continue;
    if (path == "/dev/console" || path == "/dev/ptmx") continue;
    devices.push_back({path, S_ISBLK(info.st_mode) ? 'b' : 'c', major(info.st_rdev),
                       minor(info.st_rdev), info.st_mode & 07777U, info.st_uid, info.st_gid});
  }
  return devices;
}

Result<LaunchPlan> plan_container(const PodSandboxSpec& pod, const ContainerSpec& container,
                                  const ContainerPlace& place) {
  auto capabilities = container_capabilities(container.security);
  if (!capabilities) return fail(std::move(capabilities).error());
  const bool privileged = container.security.privileged;
  LaunchPlan plan;
  plan.spec.process = process_of(pod, container, *capabilities);
  plan.spec.root_read_only = container.security.read_only_root;
  plan.spec.mounts = kernel_mounts(pod, container, place);
  for (MountSpec& mount : volume_mounts(container, place)) {
    // A volume may stand in for one of ours, as a memory volume on /dev/shm does.
    plan.spec.mounts.push_back(std::move(mount));
  }
  plan.spec.namespaces = own_namespaces(pod);
  if (privileged) {
    plan.spec.devices = host_devices();
  } else if (!container.security.unmasked_proc) {
    plan.spec.masked_paths = default_masked_paths();
    plan.spec.read_only_paths = default_read_only_paths();
  }
  plan.spec.limits = cgroup_limits(container.resources);
  if (!privileged) plan.spec.limits.devices = linux::default_device_rules();
  plan.spec.limits.kill_group_on_oom = true;
  plan.image.layers = container.layers;
  plan.image.upper = paths::upper(place.directory);
  plan.image.work = paths::work(place.directory);
  plan.image.mount_point = paths::mount_point(place.directory);
  UserChoice user;
  user.image_user = container.user.image_user;
  user.uid = container.user.uid;
  user.gid = container.user.gid;
  user.supplementary_gids = container.user.supplementary_gids;
  user.must_not_be_root = container.security.run_as_non_root;
  plan.user = std::move(user);
  plan.cgroup = place.cgroup;
  plan.stdio_is_terminal = container.tty;
  plan.die_with_parent = true;
  return plan;
}

}  // namespace koi::runtime
