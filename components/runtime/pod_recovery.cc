#include "runtime/pod_recovery.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "linux/process.h"
#include "runtime/container_plan.h"
#include "runtime/paths.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;

namespace {

constexpr int killed_code = 128 + SIGKILL;
constexpr int shim_start_millis_max = 30'000;
constexpr int shim_end_millis_max = 10'000;

bool is_running(const ShimRecord& shim) {
  const auto boot_id = linux::read_boot_id();
  return boot_id && *boot_id == shim.boot_id &&
         linux::process_is_running(static_cast<pid_t>(shim.pid), shim.start_ticks);
}

bool wait_readable(int fd, int millis_max) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, millis_max) == 1;
}

Result<> kill_shim(const ShimRecord& shim) {
  auto pidfd = linux::open_pidfd(static_cast<pid_t>(shim.pid));
  if (!pidfd || !is_running(shim)) return {};
  if (auto sent = linux::send_signal(pidfd->get(), SIGKILL); !sent) return sent;
  // A pidfd reads as ready once its process has ended.
  if (wait_readable(pidfd->get(), shim_end_millis_max)) return {};
  return fail(Code::timeout, "shim " + std::to_string(shim.pid) + " does not end");
}

}  // namespace

bool shim_is_running(const PodOnDisk& pod) { return pod.shim && is_running(*pod.shim); }

Result<PodOnDisk> bury_pod(const linux::CgroupTree& tree, const std::string& cgroup_parent,
                           const base::Path& pod_directory) {
  auto pod = read_pod(pod_directory);
  if (!pod) return pod;
  if (pod->shim) {
    if (auto killed = kill_shim(*pod->shim); !killed) return fail(killed.error());
  }
  const std::string cgroup = pod_cgroup(cgroup_parent, pod->spec);
  if (auto killed = linux::kill_cgroup(tree, cgroup); !killed) return fail(killed.error());
  for (ContainerState& container : pod->containers) {
    if (container.exit) continue;
    ContainerExit exit;
    exit.code = killed_code;
    exit.signal = SIGKILL;
    exit.started = container.started;
    exit.finished = std::chrono::floor<base::Duration>(linux::real_time());
    exit.out_of_memory = linux::read_oom_kills(tree, cgroup + "/" + container.id) > 0;
    if (container.pid == 0) exit.start_error = "the pod's shim ended before the program ran";
    const base::Path directory = paths::container(pod_directory, container.id);
    const std::string record = json::serialize(to_json(exit));
    auto written = linux::write_durably(paths::container_exit(directory), record);
    if (!written) return fail(std::move(written).error());
    container.exit = std::move(exit);
  }
  if (auto removed = linux::remove_cgroup(tree, cgroup); !removed) return fail(removed.error());
  return pod;
}

Result<> erase_pod(const linux::CgroupTree& tree, const std::string& cgroup_parent,
                   const base::Path& pod_directory) {
  if (auto pod = read_pod(pod_directory)) {
    if (pod->shim) {
      if (auto killed = kill_shim(*pod->shim); !killed) return killed;
    }
    const std::string cgroup = pod_cgroup(cgroup_parent, pod->spec);
    if (auto killed = linux::kill_cgroup(tree, cgroup); !killed) return killed;
    if (auto removed = linux::remove_cgroup(tree, cgroup); !removed) return removed;
  }
  std::error_code error;
  std::filesystem::remove_all(pod_directory, error);
  if (error) {
    return fail(Code::internal, "remove '" + pod_directory.native() + "': " + error.message());
  }
  return {};
}

Result<> start_shim(const std::vector<std::string>& command, const base::Path& pod_directory,
                    const std::string& cgroup_parent) {
  std::vector<std::string> args = command;
  // What people see in their process lists.
  args.at(0) = "koi";
  args.insert(args.end(), {"--dir", pod_directory.native(), "--cgroup-parent", cgroup_parent});
  auto null = linux::open_file("/dev/null", O_RDWR);
  if (!null) return fail(std::move(null).error());
  auto pipe = linux::make_pipe();
  if (!pipe) return fail(std::move(pipe).error());
  const int answer = pipe->write_end.get();
  auto pid = linux::spawn(command[0], args, {null->get(), answer, answer});
  if (!pid) return fail(std::move(pid).error());
  pipe->write_end.reset();
  // What we started only starts the shim; it ends at once.
  if (auto ended = linux::wait_for(*pid); !ended) return fail(ended.error());
  std::string text;
  while (text.find('\n') == std::string::npos) {
    if (!wait_readable(pipe->read_end.get(), shim_start_millis_max)) {
      return fail(Code::timeout, "the pod's shim does not start");
    }
    char buffer[4096];
    const ssize_t count = ::read(pipe->read_end.get(), buffer, sizeof buffer);
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  const std::string line = text.substr(0, text.find('\n'));
  if (line == "ok") return {};
  return fail(Code::unavailable, "start shim: " + (line.empty() ? "it ended at once" : line));
}

Result<UniqueFd> connect_shim(const base::Path& pod_directory) {
  auto directory = linux::open_file(pod_directory, O_PATH | O_DIRECTORY);
  if (!directory) return directory;
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return linux::fail_errno("make socket");
  const std::string name =
      "/proc/self/fd/" + std::to_string(directory->get()) + "/" + paths::shim_socket_name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return socket;
  }
  if (errno == ECONNREFUSED) return fail(Code::unavailable, "the pod's shim does not listen");
  return linux::fail_errno("connect to", paths::shim_socket(pod_directory));
}

void empty_trash(const base::Path& pod_directory) {
  std::error_code error;
  std::filesystem::remove_all(paths::trash(pod_directory), error);
}

}  // namespace koi::runtime
