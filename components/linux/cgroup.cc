#include "linux/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <thread>

#include "linux/device_filter.h"
#include "linux/process.h"

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

namespace {

// Every hierarchy costs a mkdir and a join per container, so only what koi uses is touched.
constexpr std::array<std::string_view, 6> used_controllers = {"memory", "cpu",     "cpuacct",
                                                              "pids",   "devices", "cpuset"};
constexpr std::array<std::string_view, 4> v2_controllers_enabled = {"cpu", "memory", "pids",
                                                                    "cpuset"};

std::vector<std::string> words(std::string_view text, std::string_view separators) {
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
    if (end > begin) result.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// cpuset v1 groups start without any cpu, so a group there must be filled before it is joined: it
// is made only for those who ask for it.
bool is_lazy(const CgroupHierarchy& hierarchy) {
  return !hierarchy.v2 && contains(hierarchy.controllers, "cpuset");
}

Path directory(const CgroupHierarchy& hierarchy, const std::string& group) {
  return hierarchy.mount / group;
}

}  // namespace

const CgroupHierarchy* CgroupTree::with(std::string_view controller) const {
  for (const auto& hierarchy : hierarchies) {
    if (contains(hierarchy.controllers, controller)) return &hierarchy;
  }
  return nullptr;
}

const CgroupHierarchy* CgroupTree::unified() const {
  for (const auto& hierarchy : hierarchies) {
    if (hierarchy.v2) return &hierarchy;
  }
  return nullptr;
}

CgroupTree parse_cgroups(std::string_view mountinfo, std::string_view v2_controllers) {
  CgroupTree tree;
  for (const MountInfo& mount : parse_mountinfo(mountinfo)) {
    CgroupHierarchy hierarchy;
    hierarchy.mount = mount.mount_point;
    if (mount.type == "cgroup2") {
      if (tree.unified() != nullptr) continue;
      hierarchy.v2 = true;
      hierarchy.controllers = words(v2_controllers, " \n");
    } else if (mount.type == "cgroup") {
      for (const std::string& option : words(mount.super_options, ",")) {
        const bool used = std::find(used_controllers.begin(), used_controllers.end(), option) !=
                          used_controllers.end();
        if (used && tree.with(option) == nullptr) hierarchy.controllers.push_back(option);
      }
      if (hierarchy.controllers.empty()) continue;
    } else {
      continue;
    }
    tree.hierarchies.push_back(std::move(hierarchy));
  }
  return tree;
}

Result<CgroupTree> detect_cgroups() {
  auto mountinfo = read_file("/proc/self/mountinfo", 16 * 1024 * 1024);
  if (!mountinfo) return fail(std::move(mountinfo).error());
  std::string v2_controllers;
  for (const MountInfo& mount : parse_mountinfo(*mountinfo)) {
    if (mount.type != "cgroup2") continue;
    if (auto text = read_file(Path(mount.mount_point) / "cgroup.controllers")) {
      v2_controllers = std::move(*text);
    }
    break;
  }
  CgroupTree tree = parse_cgroups(*mountinfo, v2_controllers);
  if (tree.with("memory") == nullptr) {
    return fail(Code::unsupported,
                "no memory cgroup controller is mounted; boot with 'cgroup_enable=memory' or mount "
                "cgroup2 on /sys/fs/cgroup");
  }
  return tree;
}

namespace {

// In a container the root group itself holds processes, and v2 gives no controllers to the children
// of such a group: they move to a leaf.
Result<> evacuate(const Path& root) {
  const Path leaf = root / "koi-host";
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("make", leaf);
  auto pids = read_file(root / "cgroup.procs");
  if (!pids) return fail(std::move(pids).error());
  for (const std::string& pid : words(*pids, "\n")) {
    // Kernel threads and processes that just ended refuse; the next write tells whether it matters.
    (void)write_file(leaf / "cgroup.procs", pid);
  }
  return {};
}

Result<> enable_controllers(const CgroupHierarchy& hierarchy, const Path& parent) {
  auto enabled = read_file(parent / "cgroup.subtree_control");
  if (!enabled) return fail(std::move(enabled).error());
  const auto present = words(*enabled, " \n");
  for (const std::string_view controller : v2_controllers_enabled) {
    if (!contains(hierarchy.controllers, controller) || contains(present, controller)) continue;
    const std::string text = "+" + std::string(controller);
    auto written = write_file(parent / "cgroup.subtree_control", text);
    if (!written && parent == hierarchy.mount && errno == EBUSY) {
      if (auto moved = evacuate(parent); !moved) return moved;
      written = write_file(parent / "cgroup.subtree_control", text);
    }
    if (!written && controller != "cpuset") return written;
  }
  return {};
}

Result<> create_in(const CgroupHierarchy& hierarchy, const std::string& group) {
  const Path target = directory(hierarchy, group);
  if (::mkdir(target.c_str(), 0755) == 0 && !hierarchy.v2) return {};
  Path path = hierarchy.mount;
  for (const std::string& part : words(group, "/")) {
    if (hierarchy.v2) {
      if (auto enabled = enable_controllers(hierarchy, path); !enabled) return enabled;
    }
    path /= part;
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("make", path);
  }
  return {};
}

}  // namespace

Result<> create_cgroup(const CgroupTree& tree, const std::string& group) {
  for (const auto& hierarchy : tree.hierarchies) {
    if (is_lazy(hierarchy)) continue;
    if (auto made = create_in(hierarchy, group); !made) return made;
  }
  return {};
}

namespace {

std::vector<Path> subgroups(const Path& group) {
  std::vector<Path> result;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(group, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_directory(error)) result.push_back(entry->path());
  }
  return result;
}

Result<> remove_directory(const Path& group) {
  if (::rmdir(group.c_str()) == 0 || errno == ENOENT) return {};
  for (const Path& below : subgroups(group)) {
    if (auto removed = remove_directory(below); !removed) return removed;
  }
  // A process that was reaped a moment ago may still be leaving its group.
  constexpr int attempts_max = 100;
  for (int attempt = 0; ::rmdir(group.c_str()) != 0; ++attempt) {
    if (errno == ENOENT) return {};
    if (errno != EBUSY || attempt == attempts_max) return fail_errno("remove", group);
    ::usleep(1000);
  }
  return {};
}

}  // namespace

Result<> remove_cgroup(const CgroupTree& tree, const std::string& group) {
  Result<> result;
  for (const auto& hierarchy : tree.hierarchies) {
    if (auto removed = remove_directory(directory(hierarchy, group)); !removed) result = removed;
  }
  return result;
}

Result<> join_cgroup(const CgroupTree& tree, const std::string& group, bool skip_unified) {
  for (const auto& hierarchy : tree.hierarchies) {
    if (skip_unified && hierarchy.v2) continue;
    // A thread that moves only itself spares the kernel a lock that waits for all processors: 20 us
    // in place of 20 ms on a busy machine. v2 has no such file, but there one is cloned into place.
    const char* file = hierarchy.v2 ? "cgroup.procs" : "tasks";
    auto joined = write_file(directory(hierarchy, group) / file, "0");
    if (!joined && is_lazy(hierarchy) && joined.error().code == Code::not_found) continue;
    if (!joined) return joined;
  }
  return {};
}

Result<UniqueFd> open_unified(const CgroupTree& tree, const std::string& group) {
  const CgroupHierarchy* hierarchy = tree.unified();
  if (hierarchy == nullptr) return UniqueFd();
  return open_file(directory(*hierarchy, group), O_PATH | O_DIRECTORY);
}

namespace {

// Any hierarchy knows the processes; the one with the memory controller is always there.
const CgroupHierarchy& any_hierarchy(const CgroupTree& tree) {
  if (const CgroupHierarchy* hierarchy = tree.with("pids")) return *hierarchy;
  return tree.hierarchies.front();
}

void collect_processes(const Path& group, std::vector<std::int64_t>& pids) {
  auto text = read_file(group / "cgroup.procs", 16 * 1024 * 1024);
  if (!text) return;
  for (const std::string& word : words(*text, "\n")) {
    std::int64_t pid = 0;
    std::from_chars(word.data(), word.data() + word.size(), pid);
    if (pid > 0) pids.push_back(pid);
  }
  for (const Path& below : subgroups(group)) collect_processes(below, pids);
}

}  // namespace

std::vector<std::int64_t> cgroup_processes(const CgroupTree& tree, const std::string& group) {
  std::vector<std::int64_t> pids;
  if (!tree.hierarchies.empty()) collect_processes(directory(any_hierarchy(tree), group), pids);
  return pids;
}

Result<> kill_cgroup(const CgroupTree& tree, const std::string& group) {
  if (const CgroupHierarchy* unified = tree.unified()) {
    // One write kills all, forks in flight included. Kernels before 5.14 lack the file.
    (void)write_file(directory(*unified, group) / "cgroup.kill", "1");
  }
  constexpr int rounds_max = 1000;
  for (int round = 0; round < rounds_max; ++round) {
    bool found = false;
    for (const std::int64_t pid : cgroup_processes(tree, group)) {
      const auto pidfd = open_pidfd(static_cast<pid_t>(pid));
      if (!pidfd) continue;
      const auto stat = read_process_stat(static_cast<pid_t>(pid));
      if (!stat || stat->state == 'Z' || stat->state == 'X') continue;
      found = true;
      if (auto sent = send_signal(pidfd->get(), 9); !sent) return sent;
    }
    if (!found) return {};
    ::usleep(500);
  }
  return fail(Code::timeout, "processes of '" + group + "' do not die");
}

Result<> freeze_cgroup(const CgroupTree& tree, const std::string& group, bool frozen) {
  if (const CgroupHierarchy* unified = tree.unified()) {
    return write_file(directory(*unified, group) / "cgroup.freeze", frozen ? "1" : "0");
  }
  return fail(Code::unsupported, "freezing needs a cgroup v2 hierarchy");
}

bool cgroup_is_frozen(const CgroupTree& tree, const std::string& group) {
  const CgroupHierarchy* unified = tree.unified();
  if (unified == nullptr) return false;
  return read_file(directory(*unified, group) / "cgroup.freeze").value_or("0").starts_with('1');
}

}  // namespace koi::linux
