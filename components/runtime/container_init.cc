#include "runtime/container_init.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "linux/capabilities.h"
#include "linux/mounts.h"
#include "linux/seccomp_filter.h"
#include "runtime/user_lookup.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;
using Kind = ChannelMessage::Kind;

namespace {

constexpr std::size_t account_file_bytes_max = 4 * 1024 * 1024;
constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

[[noreturn]] void give_up(int channel, const base::Error& error) {
  const Kind kind = error.code == Code::invalid ? Kind::start_error : Kind::node_error;
  (void)linux::send_packet(channel, encode_channel({kind, error.message}));
  ::_exit(127);
}

void must(int channel, const Result<>& result, std::string_view during) {
  if (result) return;
  base::Error error = result.error();
  give_up(channel, during.empty() ? error : std::move(error).during(during));
}

// What the error's text says in the words that users of other runtimes know.
std::string reason(int error_number) {
  std::string text = std::strerror(error_number);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Result<> join_namespaces(const Spec& spec) {
  for (const NamespaceSpec& entry : spec.namespaces) {
    if (entry.path.empty() || entry.type == "pid" || entry.type == "mount") continue;
    auto fd = linux::open_file(entry.path, O_RDONLY);
    if (!fd) return fail(std::move(fd).error());
    if (::setns(fd->get(), 0) != 0) return linux::fail_errno("join namespace", entry.path);
  }
  return {};
}

// A machine may forbid root to lower the value; the container then runs with what it inherits.
void set_oom_score(const ProcessSpec& process) {
  if (process.oom_score_adj) {
    (void)linux::write_file("/proc/self/oom_score_adj", std::to_string(*process.oom_score_adj));
  }
}

// Reads a file of the container's root. Whatever is there was made by strangers: no fifo may block,
// no device may be read.
std::string read_account_file(const char* path) {
  auto fd = linux::open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat info{};
  if (!fd || ::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  return linux::read_all(fd->get(), account_file_bytes_max).value_or("");
}

Result<ResolvedUser> choose_user(const LaunchPlan& plan) {
  if (plan.user) {
    return resolve_user(*plan.user, read_account_file("/etc/passwd"),
                        read_account_file("/etc/group"));
  }
  const ProcessSpec& process = plan.spec.process;
  return ResolvedUser{process.uid, process.gid, process.additional_gids, ""};
}

int rlimit_number(std::string_view type) {
  constexpr std::string_view names[] = {
      "CPU",     "FSIZE", "DATA",  "STACK",      "CORE",     "RSS",  "NPROC",  "NOFILE",
      "MEMLOCK", "AS",    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"};
  for (int number = 0; number < RLIM_NLIMITS; ++number) {
    if (type.starts_with("RLIMIT_") && type.substr(7) == names[number]) return number;
  }
  return -1;
}

Result<> set_rlimits(const ProcessSpec& process) {
  for (const RlimitSpec& entry : process.rlimits) {
    const int number = rlimit_number(entry.type);
    if (number < 0) return fail(Code::invalid, "'" + entry.type + "' is no resource limit");
    const rlimit wanted{entry.soft, entry.hard};
    const auto resource = static_cast<__rlimit_resource>(number);
    if (::setrlimit(resource, &wanted) == 0) continue;
    // Without CAP_SYS_RESOURCE the hard limit cannot rise: as much as there is.
    rlimit held{};
    ::getrlimit(resource, &held);
    const rlimit bounded{std::min(wanted.rlim_cur, held.rlim_max), held.rlim_max};
    if (::setrlimit(resource, &bounded) != 0) return linux::fail_errno("set " + entry.type);
  }
  return {};
}

Result<> enter_directory(const std::string& cwd) {
  if (::chdir(cwd.c_str()) == 0) return {};
  if (errno == ENOENT) {
    auto root = linux::open_file("/", O_PATH | O_DIRECTORY);
    if (!root) return fail(std::move(root).error());
    (void)linux::make_path_in_root(root->get(), cwd, false);
    if (::chdir(cwd.c_str()) == 0) return {};
  }
  return fail(Code::invalid,
              "chdir to cwd (\"" + cwd + "\") set in config.json failed: " + reason(errno));
}

Result<> become(const ResolvedUser& user, const ProcessSpec& process) {
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  const std::vector<gid_t> groups(user.groups.begin(), user.groups.end());
  if (::setgroups(groups.size(), groups.data()) != 0) return linux::fail_errno("set groups");
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return linux::fail_errno("set group id");
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return linux::fail_errno("set user id");
  linux::CapabilitySets sets = process.capabilities;
  if (user.uid != 0) {
    // Another user's exec keeps only ambient capabilities; effective ones would be lost anyway.
    sets.effective &= sets.permitted;
  }
  auto done = linux::set_capabilities(sets);
  ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  return done;
}

std::string environment_value(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& entry : env) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

bool is_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
}

// The program's path, or why it cannot be run, in the words of other runtimes.
Result<std::string> find_program(const std::string& name, const std::vector<std::string>& env) {
  const std::string quoted = "exec: \"" + name + "\": ";
  if (name.find('/') != std::string::npos) {
    struct stat info{};
    if (::stat(name.c_str(), &info) != 0) {
      return fail(Code::invalid, quoted + "stat " + name + ": " + reason(errno));
    }
    if (S_ISDIR(info.st_mode)) return fail(Code::invalid, quoted + "is a directory");
    if (::faccessat(AT_FDCWD, name.c_str(), X_OK, AT_EACCESS) != 0) {
      return fail(Code::invalid, quoted + "permission denied");
    }
    return name;
  }
  std::string path = environment_value(env, "PATH");
  if (path.empty()) path = default_path;
  bool denied = false;
  for (std::size_t begin = 0; begin <= path.size() && !name.empty();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    std::string directory = path.substr(begin, end - begin);
    begin = end + 1;
    if (directory.empty()) directory = ".";
    const std::string candidate = directory + "/" + name;
    if (!is_file(candidate)) continue;
    if (::faccessat(AT_FDCWD, candidate.c_str(), X_OK, AT_EACCESS) == 0) return candidate;
    denied = true;
  }
  if (denied) return fail(Code::invalid, quoted + "permission denied");
  return fail(Code::invalid, quoted + "executable file not found in $PATH");
}

// Programs that reopen /dev/stdout need to own the pipe behind it.
void give_stdio(const ResolvedUser& user) {
  const dev_t null_device = makedev(1, 3);
  for (int fd = 0; fd < 3; ++fd) {
    struct stat info{};
    if (::fstat(fd, &info) != 0 || info.st_rdev == null_device) continue;
    if (::fchown(fd, user.uid, user.gid) != 0) continue;  // files of another owner stay theirs
  }
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

void set_stdio(const LaunchPlan& plan, int channel) {
  if (plan.stdio_is_terminal) {
    auto terminal = open_terminal();
    if (!terminal) give_up(channel, terminal.error());
    const std::string message = encode_channel({Kind::terminal, ""});
    must(channel, linux::send_packet(channel, message, terminal->get()), "send terminal");
    return;
  }
  // Above the range first: a source that is itself 0, 1 or 2 must not be overwritten on the way.
  std::array<int, 3> copies{};
  for (std::size_t i = 0; i < 3; ++i) {
    copies[i] = ::fcntl(plan.stdio[i], F_DUPFD_CLOEXEC, 100);
    if (copies[i] < 0) must(channel, linux::fail_errno("copy stdio"), "");
  }
  for (std::size_t i = 0; i < 3; ++i) ::dup2(copies[i], static_cast<int>(i));
}

// Waits until whoever created the container starts it.
void wait_at_gate(int gate, int channel) {
  (void)linux::send_packet(channel, encode_channel({Kind::ready, ""}));
  const std::string path = "/proc/self/fd/" + std::to_string(gate);
  // Opening for writing blocks until the other side opens for reading.
  auto opened = linux::open_file(path, O_WRONLY);
  if (!opened) give_up(channel, std::move(opened).error().during("wait for start"));
  (void)linux::write_all(opened->get(), "0");
}

// The last part, the same for a container's first process and for a later exec.
[[noreturn]] void execute(const LaunchPlan& plan, ProcessSpec process, int gate, int channel) {
  auto user = choose_user(plan);
  if (!user) give_up(channel, user.error());
  must(channel, set_rlimits(process), "");
  must(channel, enter_directory(process.cwd), "");
  set_stdio(plan, channel);
  give_stdio(*user);
  if (plan.user && environment_value(process.env, "HOME").empty()) {
    process.env.push_back("HOME=" + user->home);
  }
  must(channel, linux::limit_bounding_set(process.capabilities.bounding), "");
  // Without no_new_privs only a privileged process may load a filter, so it comes early.
  const bool filtered = !plan.seccomp_program.empty();
  if (filtered && !process.no_new_privileges) {
    must(channel, linux::load_seccomp(plan.seccomp_program), "");
  }
  ::umask(process.umask.value_or(022));
  must(channel, become(*user, process), "");
  if (process.no_new_privileges) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (plan.die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (process.args.empty()) give_up(channel, {Code::invalid, "no command specified"});
  auto program = find_program(process.args.front(), process.env);
  if (!program) give_up(channel, program.error());
  const auto argv = pointers(process.args);
  const auto envp = pointers(process.env);
  if (gate >= 0) wait_at_gate(gate, channel);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  linux::reset_signals();
  if (filtered && process.no_new_privileges) {
    must(channel, linux::load_seccomp(plan.seccomp_program), "");
  }
  ::execve(program->c_str(), argv.data(), envp.data());
  give_up(channel, {Code::invalid, "exec: \"" + process.args.front() + "\": " + reason(errno)});
}

}  // namespace

Result<UniqueFd> open_terminal() {
  auto master = linux::open_file("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (!master) return master;
  const int unlock = 0;
  if (::ioctl(master->get(), TIOCSPTLCK, &unlock) != 0) return linux::fail_errno("unlock terminal");
  const UniqueFd slave(::ioctl(master->get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return linux::fail_errno("open terminal");
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(slave.get(), fd) < 0) return linux::fail_errno("attach terminal");
  }
  if (::ioctl(0, TIOCSCTTY, 0) != 0) return linux::fail_errno("take terminal");
  auto root = linux::open_file("/", O_PATH | O_DIRECTORY);
  if (!root) return root;
  // Without /dev/console the terminal works all the same.
  if (auto console = linux::make_path_in_root(root->get(), "/dev/console", true)) {
    if (auto mount = linux::clone_mount(slave.get(), false)) {
      (void)linux::attach_mount(mount->get(), console->get());
    }
  }
  return master;
}

void run_container_init(const linux::CgroupTree& tree, const LaunchPlan& plan, bool in_unified,
                        int channel) {
  ::setsid();
  if (!plan.cgroup.empty()) must(channel, linux::join_cgroup(tree, plan.cgroup, in_unified), "");
  const NamespaceSpec* cgroup = plan.spec.find_namespace("cgroup");
  if (cgroup != nullptr && cgroup->path.empty() && ::unshare(CLONE_NEWCGROUP) != 0) {
    must(channel, linux::fail_errno("make cgroup namespace"), "");
  }
  must(channel, join_namespaces(plan.spec), "");
  set_oom_score(plan.spec.process);
  UniqueFd gate;
  if (!plan.start_gate.empty()) {
    auto opened = linux::open_file(plan.start_gate, O_PATH);
    if (!opened) give_up(channel, opened.error());
    gate = std::move(*opened);
  }
  must(channel, enter_root(tree, plan), "");
  execute(plan, plan.spec.process, gate.get(), channel);
}

void run_exec_init(const linux::CgroupTree& tree, const LaunchPlan& plan,
                   const ProcessSpec& process, int container_pidfd, int channel) {
  ::setsid();
  if (!plan.cgroup.empty()) must(channel, linux::join_cgroup(tree, plan.cgroup, true), "");
  set_oom_score(process);
  constexpr std::uint64_t all =
      CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  must(channel, linux::enter_namespaces(container_pidfd, all), "");
  execute(plan, process, -1, channel);
}

}  // namespace koi::runtime
