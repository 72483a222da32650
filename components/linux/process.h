#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux/fd.h"

// Making, watching, signalling and describing processes.
namespace koi::linux {

struct CloneOptions {
  std::uint64_t namespaces = 0;  // CLONE_NEW*
  int cgroup = -1;               // directory of a cgroup v2 group to start in
};

struct Child {
  pid_t pid = 0;  // 0 in the child itself
  UniqueFd pidfd;
};

// clone3(2) without shared memory: returns twice like fork. Call it from single-threaded processes
// only, since the child goes on running C++.
base::Result<Child> clone_process(const CloneOptions& options);

// Runs a program with exactly `files` open as 0, 1, 2, ... in a session of its own. The caller's
// memory is not copied, whatever its size. The caller reaps the child.
base::Result<pid_t> spawn(const Path& program, const std::vector<std::string>& args,
                          const std::vector<int>& files);

struct ExitStatus {
  int code = 0;
  int signal = 0;  // 0 when it exited by itself
};
ExitStatus decode_wait_status(int status);

// Waits for a child. Blocks.
base::Result<ExitStatus> wait_for(pid_t pid);

base::Result<UniqueFd> open_pidfd(pid_t pid);
// Succeeds when the process has already ended.
base::Result<> send_signal(int pidfd, int signal_number);

// Joins namespaces of the process behind a pidfd, all in one step.
base::Result<> enter_namespaces(int pidfd, std::uint64_t namespaces);

// Blocks the signals in the calling thread and returns a non-blocking descriptor that reads them.
base::Result<UniqueFd> make_signalfd(std::initializer_list<int> signals);

// Unblocks every signal and sets every handler back to its default: for a child before exec.
void reset_signals();

// "SIGTERM", "TERM" or "15" as a number.
std::optional<int> signal_number(std::string_view name);

// What /proc/<pid>/stat says.
struct ProcessStat {
  pid_t pid = 0;
  std::string name;
  char state = '?';
  pid_t parent = 0;
  std::uint64_t start_ticks = 0;  // since boot: with the pid and the boot id, a process's identity
};
base::Result<ProcessStat> parse_process_stat(std::string_view text);
base::Result<ProcessStat> read_process_stat(pid_t pid);

// True while that very process runs; false for another with the same pid, and for a zombie.
bool process_is_running(pid_t pid, std::uint64_t start_ticks);

// CLOCK_REALTIME and CLOCK_MONOTONIC, for processes too small to carry a base::Clock.
std::chrono::sys_time<std::chrono::nanoseconds> real_time();
std::chrono::nanoseconds monotonic_time();

// Changes with every boot of the machine.
base::Result<std::string> read_boot_id();

}  // namespace koi::linux
