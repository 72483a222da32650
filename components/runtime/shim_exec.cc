#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "linux/process.h"
#include "runtime/shim_container_state.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t exec_output_bytes_max = 256 * 1024;

}  // namespace

void ShimContainers::exec(const std::string& id, std::vector<std::string> args,
                          std::chrono::nanoseconds patience, OnExec answer_to) {
  Container* container = find(id);
  if (container == nullptr || !container->pidfd || !container->executed) {
    return answer_to(fail(Code::not_found, "container '" + id + "' does not run"));
  }
  auto run = std::make_unique<Exec>();
  run->deadline = linux::monotonic_time() + patience;
  run->answer = std::move(answer_to);
  if (auto done = launch_exec_process(*run, *container, std::move(args)); !done) {
    return run->answer(fail(std::move(done).error()));
  }
  Exec* self = run.get();
  (void)loop_.watch(run->output.get(), [this, self] { (void)read_exec_output(*self); });
  execs_.push_back(std::move(run));
}

Result<> ShimContainers::launch_exec_process(Exec& run, Container& container,
                                             std::vector<std::string> args) {
  auto null = linux::open_file("/dev/null", O_RDWR);
  if (!null) return fail(std::move(null).error());
  auto pipe = linux::make_pipe();
  if (!pipe) return fail(std::move(pipe).error());
  LaunchPlan plan = container.plan;
  plan.stdio_is_terminal = false;
  plan.stdio = {null->get(), pipe->write_end.get(), pipe->write_end.get()};
  ProcessSpec process = plan.spec.process;
  process.args = std::move(args);
  auto launched = launch_exec(pod_.tree, plan, process, container.pidfd.get());
  if (!launched) return fail(std::move(launched).error());
  run.pid = launched->pid;
  run.pidfd = std::move(launched->pidfd);
  run.channel = std::move(launched->channel);
  run.output = std::move(pipe->read_end);
  ::fcntl(run.output.get(), F_SETFL, O_RDONLY | O_NONBLOCK);
  ::fcntl(run.channel.get(), F_SETFL, O_RDWR | O_NONBLOCK);
  return {};
}

// Reads one portion; false when there is nothing more for now. What is over the bound is read and
// thrown away, so that the program never blocks.
bool ShimContainers::read_exec_output(Exec& run) {
  if (!run.output) return false;
  char buffer[16 * 1024];
  const ssize_t count = ::read(run.output.get(), buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (count <= 0) {
    loop_.forget(run.output.get());
    run.output.reset();
    return false;
  }
  const std::size_t room = exec_output_bytes_max - run.text.size();
  run.text.append(buffer, std::min(room, static_cast<std::size_t>(count)));
  return true;
}

void ShimContainers::exec_ended(Exec& run, const linux::ExitStatus& status) {
  // Children that went on in the background keep the pipe open; their output is not waited for.
  constexpr int portions_max = 64;
  for (int i = 0; i < portions_max && read_exec_output(run); ++i) {
  }
  if (run.output) {
    loop_.forget(run.output.get());
    run.output.reset();
  }
  auto packet = linux::receive_packet(run.channel.get());
  Result<ExecResult> result = ExecResult{status.code, std::move(run.text)};
  if (run.overran) {
    result = fail(Code::timeout, "the command did not end in time");
  } else if (packet && !packet->text.empty()) {
    const ChannelMessage message = decode_channel(packet->text);
    if (message.kind == ChannelMessage::Kind::start_error) {
      constexpr int denied = 126;
      constexpr int not_found = 127;
      const bool forbidden = message.text.find("permission denied") != std::string::npos;
      result = ExecResult{forbidden ? denied : not_found, message.text};
    } else {
      result = fail(Code::unavailable, message.text);
    }
  }
  const OnExec answer_to = std::move(run.answer);
  std::erase_if(execs_, [&](const auto& each) { return each.get() == &run; });
  answer_to(std::move(result));
}

std::optional<std::chrono::nanoseconds> ShimContainers::enforce_deadlines() {
  std::optional<std::chrono::nanoseconds> next;
  const auto now = linux::monotonic_time();
  for (const auto& run : execs_) {
    if (run->overran) continue;
    if (run->deadline <= now) {
      run->overran = true;
      // The process leads its own session; its group goes with it.
      (void)::kill(-run->pid, SIGKILL);
      (void)linux::send_signal(run->pidfd.get(), SIGKILL);
      continue;
    }
    next = std::min(next.value_or(std::chrono::nanoseconds::max()), run->deadline - now);
  }
  return next;
}

}  // namespace koi::runtime
