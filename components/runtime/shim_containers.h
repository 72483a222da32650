#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/cgroup.h"
#include "runtime/cri_log.h"
#include "runtime/event_loop.h"
#include "runtime/launch.h"
#include "runtime/pod_runtime.h"
#include "runtime/shim_sandbox.h"

// The containers of one pod inside its shim: started, logged, reaped and recorded here.
namespace koi::runtime {

struct PodContext {
  base::Path directory;
  PodSandboxSpec spec;
  std::string cgroup;
  linux::CgroupTree tree;
  std::vector<ContainerState> past;  // containers of an earlier shim, all ended
};

class ShimContainers {
 public:
  using OnState = std::function<void(base::Result<ContainerState>)>;
  using OnExec = std::function<void(base::Result<ExecResult>)>;
  using OnExit = std::function<void(const ContainerState&)>;

  // `on_exit` hears of every container that has ended, once its exit is on disk.
  ShimContainers(PodContext pod, Sandbox sandbox, EventLoop& loop, OnExit on_exit);
  ~ShimContainers();

  // Starts a container, or finds the one of that name and attempt. Answers once its program runs or
  // cannot run.
  void start(const ContainerSpec& spec, const base::Path& seccomp_file, OnState answer);

  base::Result<> signal(const std::string& id, int signal_number);
  // Forgets an ended container; its files go to the trash directory.
  base::Result<> remove(const std::string& id);
  void exec(const std::string& id, std::vector<std::string> args, std::chrono::nanoseconds patience,
            OnExec answer);

  std::vector<ContainerState> states() const;

  // Kills everything; true once nothing runs any more.
  void kill_all();
  bool all_ended() const;

  // Collects every child that has ended. Called on SIGCHLD.
  void reap();

  // Kills what overran its deadline; the time until the next deadline, if there is one.
  std::optional<std::chrono::nanoseconds> enforce_deadlines();

 private:
  struct Container;
  struct Exec;
  enum class Output { standard_output, standard_error, terminal };

  Container* find(const std::string& id);
  base::Result<> prepare(Container& container, const base::Path& seccomp_file);
  base::Result<> launch_container(Container& container);
  void watch_container(Container& container);
  void read_channel(Container& container);
  bool read_output(Container& container, Output output);
  void close_output(Container& container, Output output);
  void drain(Container& container);
  void ended(Container& container, const linux::ExitStatus& status);
  ContainerExit describe_exit(const Container& container, const linux::ExitStatus& status) const;
  void discard(Container& container);
  void answer(Container& container, const base::Result<ContainerState>& result);

  base::Result<> launch_exec_process(Exec& run, Container& container,
                                     std::vector<std::string> args);
  bool read_exec_output(Exec& run);
  void exec_ended(Exec& run, const linux::ExitStatus& status);

  PodContext pod_;
  Sandbox sandbox_;
  EventLoop& loop_;
  OnExit on_exit_;
  std::list<std::unique_ptr<Container>> containers_;
  std::list<std::unique_ptr<Exec>> execs_;
};

}  // namespace koi::runtime
