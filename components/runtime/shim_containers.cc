#include "runtime/shim_containers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "linux/process.h"
#include "runtime/container_plan.h"
#include "runtime/paths.h"
#include "runtime/records.h"
#include "runtime/shim_container_state.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;

namespace {

constexpr int start_error_code = 128;  // what containerd and kubelet show for it
constexpr std::size_t termination_message_bytes_max = 4096;

std::string new_container_id() {
  unsigned char bytes[32];
  (void)!::getrandom(bytes, sizeof bytes, 0);
  std::string id;
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

base::WallTime wall_now() { return std::chrono::floor<base::Duration>(linux::real_time()); }

}  // namespace

ShimContainers::ShimContainers(PodContext pod, Sandbox sandbox, EventLoop& loop, OnExit on_exit)
    : pod_(std::move(pod)),
      sandbox_(std::move(sandbox)),
      loop_(loop),
      on_exit_(std::move(on_exit)) {
  for (ContainerState& state : pod_.past) {
    auto container = std::make_unique<Container>();
    container->spec.name = state.name;
    container->spec.attempt = state.attempt;
    container->directory = paths::container(pod_.directory, state.id);
    container->state = std::move(state);
    containers_.push_back(std::move(container));
  }
  pod_.past.clear();
}

ShimContainers::~ShimContainers() = default;

ShimContainers::Container* ShimContainers::find(const std::string& id) {
  for (const auto& container : containers_) {
    if (container->state.id == id) return container.get();
  }
  return nullptr;
}

std::vector<ContainerState> ShimContainers::states() const {
  std::vector<ContainerState> result;
  for (const auto& container : containers_) {
    // What is still being set up is nobody's container yet.
    if (container->executed || container->state.exit) result.push_back(container->state);
  }
  return result;
}

// Starting a container: 1 its directory with spec.json  2 its cgroup  3 the clone, which sets
// itself up  4 state.json. Killed in between, the pod's next owner finds a container without
// state.json, kills its cgroup and reports it as ended.
void ShimContainers::start(const ContainerSpec& spec, const base::Path& seccomp_file,
                           OnState answer_to) {
  for (const auto& known : containers_) {
    if (known->spec.name != spec.name || known->spec.attempt != spec.attempt) continue;
    if (known->executed || known->state.exit) return answer_to(known->state);
    known->starters.push_back(std::move(answer_to));
    return;
  }
  auto container = std::make_unique<Container>();
  container->spec = spec;
  container->state.name = spec.name;
  container->state.attempt = spec.attempt;
  container->state.id = new_container_id();
  container->directory = paths::container(pod_.directory, container->state.id);
  container->cgroup = pod_.cgroup + "/" + container->state.id;
  container->starters.push_back(std::move(answer_to));
  containers_.push_back(std::move(container));
  Container& added = *containers_.back();
  auto done = prepare(added, seccomp_file);
  if (done) done = launch_container(added);
  if (done) return;
  if (done.error().code != Code::invalid) {
    added.node_error = done.error().message;
    return discard(added);
  }
  added.start_error = done.error().message;
  ended(added, {start_error_code, 0});
}

Result<> ShimContainers::prepare(Container& container, const base::Path& seccomp_file) {
  const base::Path& directory = container.directory;
  std::error_code error;
  for (const base::Path& path : {directory, paths::upper(directory), paths::work(directory),
                                 paths::mount_point(directory)}) {
    std::filesystem::create_directories(path, error);
    if (error) return fail(Code::unavailable, "make '" + path.native() + "': " + error.message());
  }
  // The overlay takes the root's mode from its upper directory.
  ::chmod(paths::upper(directory).c_str(), 0755);
  const std::string record = json::serialize(to_json(container.spec));
  if (auto done = linux::replace_file(paths::container_spec(directory), record); !done) return done;
  auto message = linux::open_file(paths::termination_log(directory), O_CREAT | O_WRONLY, 0666);
  if (!message) return fail(std::move(message).error());
  ::fchmod(message->get(), 0666);

  auto plan =
      plan_container(pod_.spec, container.spec, {pod_.directory, directory, container.cgroup});
  if (!plan) return fail(std::move(plan).error());
  container.plan = std::move(*plan);
  if (!seccomp_file.empty()) {
    auto program = linux::read_file(seccomp_file);
    if (!program) return fail(std::move(program).error());
    container.plan.seccomp_program = std::move(*program);
  }
  if (auto done = linux::create_cgroup(pod_.tree, container.cgroup); !done) return done;
  auto limited = linux::set_limits(pod_.tree, container.cgroup, container.plan.spec.limits);
  if (!limited) return limited;
  auto log = CriLog::open(
      {container.spec.log_path, container.spec.log_bytes_max, container.spec.log_files_max});
  if (!log) return fail(std::move(log).error());
  container.log.emplace(std::move(*log));
  return {};
}

Result<> ShimContainers::launch_container(Container& container) {
  LaunchPlan& plan = container.plan;
  plan.host_mount_namespace = sandbox_.host_mounts.get();
  if (pod_.spec.share_process_namespace && !pod_.spec.host_pid)
    plan.pid_namespace = sandbox_.pod_init.get();
  auto null = linux::open_file("/dev/null", O_RDWR);
  if (!null) return fail(std::move(null).error());
  UniqueFd ends[3];
  if (!container.spec.tty) {
    auto out = linux::make_pipe();
    if (!out) return fail(std::move(out).error());
    auto err = linux::make_pipe();
    if (!err) return fail(std::move(err).error());
    container.out = std::move(out->read_end);
    container.err = std::move(err->read_end);
    ends[1] = std::move(out->write_end);
    ends[2] = std::move(err->write_end);
    if (container.spec.stdin_open) {
      auto in = linux::make_pipe();
      if (!in) return fail(std::move(in).error());
      ends[0] = std::move(in->read_end);
      container.in = std::move(in->write_end);
    }
  }
  plan.stdio = {ends[0] ? ends[0].get() : null->get(), ends[1].get(), ends[2].get()};
  auto launched = launch(pod_.tree, plan);
  if (!launched) return fail(std::move(launched).error());
  container.state.pid = launched->pid;
  container.state.started = wall_now();
  container.pidfd = std::move(launched->pidfd);
  container.channel = std::move(launched->channel);
  watch_container(container);
  return {};
}

void ShimContainers::watch_container(Container& container) {
  for (const int fd : {container.channel.get(), container.out.get(), container.err.get()}) {
    if (fd >= 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  Container* self = &container;
  (void)loop_.watch(container.channel.get(), [this, self] { read_channel(*self); });
  if (container.out) {
    (void)loop_.watch(container.out.get(),
                      [this, self] { (void)read_output(*self, Output::standard_output); });
  }
  if (container.err) {
    (void)loop_.watch(container.err.get(),
                      [this, self] { (void)read_output(*self, Output::standard_error); });
  }
}

// Reads what the child says while it sets itself up. End of file without a complaint means that the
// program was executed, or that the child was killed: reap() tells which.
void ShimContainers::read_channel(Container& container) {
  while (container.channel) {
    auto packet = linux::receive_packet(container.channel.get());
    if (!packet && packet.error().code == Code::unavailable) return;
    if (packet && packet->text.empty()) {
      loop_.forget(container.channel.get());
      container.channel.reset();
      if (!container.start_error.empty() || !container.node_error.empty()) return;
      container.executed = true;
      const std::string record = json::serialize(to_json(container.state));
      (void)linux::replace_file(paths::container_state(container.directory), record);
      answer(container, container.state);
      // Kept for exec: who the process is, and not where its files came from.
      container.plan.spec.mounts = {};
      container.plan.spec.devices = {};
      return;
    }
    if (!packet) {
      loop_.forget(container.channel.get());
      container.channel.reset();
      return;
    }
    const ChannelMessage message = decode_channel(packet->text);
    if (message.kind == ChannelMessage::Kind::start_error) container.start_error = message.text;
    if (message.kind == ChannelMessage::Kind::node_error) container.node_error = message.text;
    if (message.kind == ChannelMessage::Kind::terminal && packet->fd) {
      container.out = std::move(packet->fd);
      ::fcntl(container.out.get(), F_SETFL, O_RDWR | O_NONBLOCK);
      Container* self = &container;
      (void)loop_.watch(container.out.get(),
                        [this, self] { (void)read_output(*self, Output::terminal); });
    }
  }
}

// Reads one portion; false when there is nothing more for now.
bool ShimContainers::read_output(Container& container, Output output) {
  const bool is_error = output == Output::standard_error;
  const UniqueFd& fd = is_error ? container.err : container.out;
  if (!fd) return false;
  char buffer[32 * 1024];
  const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (count <= 0) {  // a terminal ends with EIO
    close_output(container, output);
    return false;
  }
  std::string_view bytes(buffer, static_cast<std::size_t>(count));
  const LogStream stream = is_error ? LogStream::standard_error : LogStream::standard_output;
  if (container.log) container.log->write(stream, bytes, linux::real_time());
  return true;
}

void ShimContainers::close_output(Container& container, Output output) {
  UniqueFd& fd = output == Output::standard_error ? container.err : container.out;
  if (!fd) return;
  loop_.forget(fd.get());
  fd.reset();
}

void ShimContainers::drain(Container& container) {
  read_channel(container);
  // A process that escaped could write for ever; what fits the pipes is what was written in time.
  constexpr int portions_max = 64;
  for (const Output output : {Output::standard_output, Output::standard_error}) {
    for (int i = 0; i < portions_max && read_output(container, output); ++i) {
    }
    close_output(container, output);
  }
  if (container.log) container.log->finish(linux::real_time());
  container.log.reset();
  container.in.reset();
}

ContainerExit ShimContainers::describe_exit(const Container& container,
                                            const linux::ExitStatus& status) const {
  ContainerExit exit;
  exit.code = status.code;
  exit.signal = status.signal;
  exit.started = container.state.started;
  exit.finished = wall_now();
  exit.start_error = container.start_error;
  if (!exit.start_error.empty()) {
    exit.code = start_error_code;
    exit.signal = 0;
    exit.started = exit.finished;
    return exit;
  }
  const bool killed = linux::read_oom_kills(pod_.tree, container.cgroup) > 0;
  exit.out_of_memory = killed && status.code != 0;
  auto message = linux::open_file(paths::termination_log(container.directory), O_RDONLY);
  if (message) {
    std::string text(termination_message_bytes_max, '\0');
    const ssize_t count = ::pread(message->get(), text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    exit.message = std::move(text);
  }
  return exit;
}

void ShimContainers::ended(Container& container, const linux::ExitStatus& status) {
  drain(container);
  container.pidfd.reset();
  if (!container.executed && container.start_error.empty() && container.node_error.empty()) {
    container.node_error =
        "the process ended before its program ran, signal " + std::to_string(status.signal);
  }
  // In a PID namespace of others, children may outlive the container's first process.
  (void)linux::kill_cgroup(pod_.tree, container.cgroup);
  if (!container.node_error.empty()) return discard(container);
  container.state.exit = describe_exit(container, status);
  (void)linux::remove_cgroup(pod_.tree, container.cgroup);
  const std::string record = json::serialize(to_json(*container.state.exit));
  (void)linux::write_durably(paths::container_exit(container.directory), record);
  container.plan = LaunchPlan();
  answer(container, container.state);
  on_exit_(container.state);
}

// Undoes a start that the machine could not do, as if it had never been asked for.
void ShimContainers::discard(Container& container) {
  drain(container);
  (void)linux::remove_cgroup(pod_.tree, container.cgroup);
  std::error_code error;
  std::filesystem::remove_all(container.directory, error);
  answer(container, fail(Code::unavailable, container.node_error));
  std::erase_if(containers_, [&](const auto& each) { return each.get() == &container; });
}

void ShimContainers::answer(Container& container, const Result<ContainerState>& result) {
  const auto starters = std::exchange(container.starters, {});
  for (const OnState& starter : starters) starter(result);
}

Result<> ShimContainers::signal(const std::string& id, int signal_number) {
  Container* container = find(id);
  if (container == nullptr) return fail(Code::not_found, "container '" + id + "' is not here");
  if (!container->pidfd) return {};
  return linux::send_signal(container->pidfd.get(), signal_number);
}

Result<> ShimContainers::remove(const std::string& id) {
  Container* container = find(id);
  if (container == nullptr) return {};
  if (!container->state.exit) return fail(Code::conflict, "container '" + id + "' still runs");
  std::error_code error;
  std::filesystem::create_directories(paths::trash(pod_.directory), error);
  std::filesystem::rename(container->directory, paths::trash(pod_.directory) / id, error);
  if (error) return fail(Code::internal, "remove container: " + error.message());
  std::erase_if(containers_, [&](const auto& each) { return each.get() == container; });
  return {};
}

void ShimContainers::kill_all() {
  for (const auto& container : containers_) {
    if (container->pidfd) (void)linux::send_signal(container->pidfd.get(), SIGKILL);
  }
  for (const auto& run : execs_) (void)linux::send_signal(run->pidfd.get(), SIGKILL);
}

bool ShimContainers::all_ended() const {
  const bool running = std::any_of(containers_.begin(), containers_.end(),
                                   [](const auto& each) { return static_cast<bool>(each->pidfd); });
  return !running && execs_.empty();
}

void ShimContainers::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == sandbox_.pod_init_pid) {
      // Its namespace died with it, and all that ran there; the next container gets a new one.
      sandbox_.pod_init.reset();
      sandbox_.pod_init_pid = 0;
      (void)start_pod_init(sandbox_);
      continue;
    }
    const auto container =
        std::find_if(containers_.begin(), containers_.end(),
                     [&](const auto& each) { return each->pidfd && each->state.pid == pid; });
    if (container != containers_.end()) {
      ended(**container, linux::decode_wait_status(status));
      continue;
    }
    const auto run = std::find_if(execs_.begin(), execs_.end(),
                                  [&](const auto& each) { return each->pid == pid; });
    if (run != execs_.end()) exec_ended(**run, linux::decode_wait_status(status));
  }
}

}  // namespace koi::runtime
