#include "linux/process.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

Result<Child> clone_process(const CloneOptions& options) {
  int pidfd = -1;
  clone_args args{};
  args.flags = options.namespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (options.cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(options.cgroup);
  }
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return fail_errno("clone3");
  if (pid == 0) return Child{};
  return Child{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

namespace {

struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;

  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

}  // namespace

Result<pid_t> spawn(const Path& program, const std::vector<std::string>& args,
                    const std::vector<int>& files) {
  SpawnPlan plan;
  // First above the range, then down: a descriptor that is itself low is not overwritten on the
  // way.
  constexpr int above = 200;
  for (std::size_t i = 0; i < files.size(); ++i) {
    posix_spawn_file_actions_adddup2(&plan.actions, files[i], above + static_cast<int>(i));
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    posix_spawn_file_actions_adddup2(&plan.actions, above + static_cast<int>(i),
                                     static_cast<int>(i));
  }
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, static_cast<int>(files.size()));
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &all);
  posix_spawnattr_setflags(&plan.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::vector<char*> argv;
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &plan.actions, &plan.attributes, argv.data(), environ);
  if (error != 0) return fail(base::errno_error(error, "start '" + program.native() + "'"));
  return pid;
}

ExitStatus decode_wait_status(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

Result<ExitStatus> wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("wait for process");
  }
  return decode_wait_status(status);
}

Result<UniqueFd> open_pidfd(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return fail_errno("open process " + std::to_string(pid));
  return UniqueFd(static_cast<int>(fd));
}

Result<> send_signal(int pidfd, int signal_number) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return {};
  return fail_errno("send signal " + std::to_string(signal_number));
}

Result<> enter_namespaces(int pidfd, std::uint64_t namespaces) {
  if (::setns(pidfd, static_cast<int>(namespaces)) != 0) return fail_errno("enter namespaces");
  return {};
}

Result<UniqueFd> make_signalfd(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) sigaddset(&set, number);
  if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno("block signals");
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return fail_errno("signalfd");
  return UniqueFd(fd);
}

void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

namespace {

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

}  // namespace

std::optional<int> signal_number(std::string_view name) {
  int number = 0;
  if (read_number(name, number)) {
    return number > 0 && number <= SIGRTMAX ? std::optional(number) : std::nullopt;
  }
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (number = 1; number < NSIG; ++number) {
    const char* candidate = ::sigabbrev_np(number);
    if (candidate != nullptr && name == candidate) return number;
  }
  if (name.starts_with("RTMIN")) {
    int offset = 0;
    if (name == "RTMIN") return SIGRTMIN;
    if (name.size() > 6 && name[5] == '+' && read_number(name.substr(6), offset)) {
      return SIGRTMIN + offset <= SIGRTMAX ? std::optional(SIGRTMIN + offset) : std::nullopt;
    }
  }
  return std::nullopt;
}

Result<ProcessStat> parse_process_stat(std::string_view text) {
  // The name is in parentheses and may itself hold spaces and parentheses: the last one closes.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  ProcessStat stat;
  if (open == std::string_view::npos || close == std::string_view::npos || open < 2 ||
      close < open || !read_number(text.substr(0, open - 1), stat.pid)) {
    return fail(Code::invalid, "process stat is damaged");
  }
  stat.name = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 1);
  constexpr int last_field = 22;  // numbered from 1 as in proc(5); the name is 2
  for (int field = 3; field <= last_field; ++field) {
    const std::size_t begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return fail(Code::invalid, "process stat is too short");
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    if (field == 3) stat.state = word.empty() ? '?' : word.front();
    if (field == 4 && !read_number(word, stat.parent)) {
      return fail(Code::invalid, "process stat has no parent");
    }
    if (field == last_field && !read_number(word, stat.start_ticks)) {
      return fail(Code::invalid, "process stat has no start time");
    }
  }
  return stat;
}

Result<ProcessStat> read_process_stat(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text) return fail(std::move(text).error());
  return parse_process_stat(*text);
}

bool process_is_running(pid_t pid, std::uint64_t start_ticks) {
  const auto stat = read_process_stat(pid);
  return stat && stat->start_ticks == start_ticks && stat->state != 'Z' && stat->state != 'X';
}

namespace {

std::chrono::nanoseconds read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

std::chrono::sys_time<std::chrono::nanoseconds> real_time() {
  return std::chrono::sys_time<std::chrono::nanoseconds>(read_clock(CLOCK_REALTIME));
}

std::chrono::nanoseconds monotonic_time() { return read_clock(CLOCK_MONOTONIC); }

Result<std::string> read_boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 128);
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

}  // namespace koi::linux
