#include "runtime/oci_container.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "linux/process.h"
#include "runtime/launch.h"
#include "runtime/records.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::Path;
using linux::UniqueFd;

namespace {

Path directory(const OciOptions& options) { return options.root / options.id; }
Path config_file(const OciOptions& options) { return directory(options) / "config.json"; }
Path state_file(const OciOptions& options) { return directory(options) / "state.json"; }
Path gate_file(const OciOptions& options) { return directory(options) / "start.fifo"; }

Result<> check_id(const std::string& id) {
  const bool clean =
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+") ==
      std::string::npos;
  if (!id.empty() && id.size() <= 1024 && clean && id != "." && id != "..") return {};
  return fail(Code::invalid, "container id '" + id + "' has an unusable character");
}

Result<Spec> read_spec(const Path& file) {
  auto config = read_json(file);
  if (!config) return fail(std::move(config).error());
  return parse_spec(*config);
}

std::string cgroup_of(const Spec& spec, const std::string& id) {
  const Path path = Path("/" + spec.cgroups_path).lexically_normal().relative_path();
  return spec.cgroups_path.empty() ? "koi-runtime/" + id : path.native();
}

Result<std::string> filter_of(const Spec& spec) {
  if (!spec.seccomp) return std::string();
  return linux::compile_seccomp(*spec.seccomp);
}

Result<UniqueFd> connect_console(const Path& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return linux::fail_errno("make socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    return fail(Code::invalid, "console socket path is too long");
  }
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return linux::fail_errno("connect to", path);
  }
  return socket;
}

// Follows the child until it waits at the gate (or, without one, runs its program).
Result<> follow(const Launched& launched, const OciOptions& options) {
  for (;;) {
    auto packet = linux::receive_packet(launched.channel.get());
    if (!packet) return fail(std::move(packet).error());
    if (packet->text.empty()) return {};
    const ChannelMessage message = decode_channel(packet->text);
    switch (message.kind) {
      case ChannelMessage::Kind::ready:
        return {};
      case ChannelMessage::Kind::terminal: {
        auto socket = connect_console(options.console_socket);
        if (!socket) return fail(std::move(socket).error());
        auto sent = linux::send_packet(socket->get(), "/dev/ptmx", packet->fd.get());
        if (!sent) return sent;
        break;
      }
      case ChannelMessage::Kind::start_error:
        return fail(Code::invalid, message.text);
      case ChannelMessage::Kind::node_error:
        return fail(Code::internal, message.text);
    }
  }
}

Result<> write_pid_file(const OciOptions& options, pid_t pid) {
  if (options.pid_file.empty()) return {};
  return linux::replace_file(options.pid_file, std::to_string(pid), 0644);
}

json::Value to_record(const OciState& state) {
  json::Object object;
  object["id"] = state.id;
  object["pid"] = state.pid;
  object["startTicks"] = state.start_ticks;
  object["bundle"] = state.bundle;
  object["cgroup"] = state.cgroup;
  json::Object annotations;
  for (const auto& [name, value] : state.annotations) annotations[name] = value;
  object["annotations"] = std::move(annotations);
  return object;
}

Result<LaunchPlan> make_plan(const OciOptions& options, Spec spec) {
  LaunchPlan plan;
  const Path root(spec.root_path);
  if (root.is_relative()) spec.root_path = (options.bundle / root).lexically_normal().native();
  auto filter = filter_of(spec);
  if (!filter) return fail(std::move(filter).error());
  plan.seccomp_program = std::move(*filter);
  plan.cgroup = cgroup_of(spec, options.id);
  plan.stdio_is_terminal = spec.process.terminal;
  for (MountSpec& mount : spec.mounts) {
    if (mount.type == "bind" || mount.source.starts_with('/')) {
      const Path source(mount.source);
      if (source.is_relative()) mount.source = (options.bundle / source).native();
    }
  }
  plan.spec = std::move(spec);
  return plan;
}

Result<> launch_at_gate(const linux::CgroupTree& tree, const OciOptions& options,
                        const LaunchPlan& plan) {
  if (auto made = linux::create_cgroup(tree, plan.cgroup); !made) return made;
  if (auto done = linux::set_limits(tree, plan.cgroup, plan.spec.limits); !done) return done;
  auto launched = launch(tree, plan);
  if (!launched) return fail(std::move(launched).error());
  auto done = follow(*launched, options);
  OciState state;
  if (done) {
    state.id = options.id;
    state.pid = launched->pid;
    state.bundle = options.bundle.native();
    state.cgroup = plan.cgroup;
    state.annotations = plan.spec.annotations;
    const auto stat = linux::read_process_stat(launched->pid);
    if (!stat) done = fail(stat.error());
    if (stat) state.start_ticks = stat->start_ticks;
  }
  if (done) {
    done = linux::replace_file(state_file(options), json::serialize(to_record(state)));
  }
  if (done) done = write_pid_file(options, launched->pid);
  if (done) return {};
  (void)linux::send_signal(launched->pidfd.get(), SIGKILL);
  (void)linux::wait_for(launched->pid);
  return done;
}

}  // namespace

// Creating: 1 the directory, which claims the id  2 config.json and the gate  3 the cgroup and the
// process, which sets itself up and waits  4 state.json. Killed in between, delete --force clears.
Result<> create_container(const OciOptions& asked) {
  if (auto clean = check_id(asked.id); !clean) return clean;
  OciOptions options = asked;
  std::error_code error;
  options.bundle = std::filesystem::absolute(asked.bundle.empty() ? "." : asked.bundle, error);
  auto config = read_json(options.bundle / "config.json");
  if (!config) return fail(std::move(config).error());
  auto spec = parse_spec(*config);
  if (!spec) return fail(std::move(spec).error());
  if (spec->process.terminal && options.console_socket.empty()) {
    return fail(Code::invalid, "a container with a terminal needs --console-socket");
  }
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  auto plan = make_plan(options, std::move(*spec));
  if (!plan) return fail(std::move(plan).error());
  std::filesystem::create_directories(options.root, error);
  if (::mkdir(directory(options).c_str(), 0700) != 0) {
    if (errno != EEXIST) return linux::fail_errno("make", directory(options));
    return fail(Code::already_exists, "container '" + options.id + "' exists");
  }
  auto done = linux::replace_file(config_file(options), json::serialize(*config));
  if (done && ::mkfifo(gate_file(options).c_str(), 0600) != 0) {
    done = linux::fail_errno("make", gate_file(options));
  }
  plan->start_gate = gate_file(options);
  if (done) done = launch_at_gate(*tree, options, *plan);
  if (done) return {};
  (void)linux::kill_cgroup(*tree, plan->cgroup);
  (void)linux::remove_cgroup(*tree, plan->cgroup);
  std::filesystem::remove_all(directory(options), error);
  return done;
}

Result<OciState> read_state(const OciOptions& options) {
  if (auto clean = check_id(options.id); !clean) return fail(std::move(clean).error());
  auto record = read_json(state_file(options));
  if (!record) {
    if (record.error().code != Code::not_found) return fail(std::move(record).error());
    return fail(Code::not_found, "container '" + options.id + "' does not exist");
  }
  OciState state;
  state.id = options.id;
  state.pid = json::int_at(*record, {"pid"}, 0);
  state.start_ticks = static_cast<std::uint64_t>(json::int_at(*record, {"startTicks"}, 0));
  state.bundle = std::string(json::string_at(*record, {"bundle"}));
  state.cgroup = std::string(json::string_at(*record, {"cgroup"}));
  for (const auto& entry : json::object_at(*record, {"annotations"})) {
    if (const auto* text = entry.value().if_string()) {
      state.annotations.emplace(std::string(entry.key()), std::string(*text));
    }
  }
  std::error_code error;
  if (!linux::process_is_running(static_cast<pid_t>(state.pid), state.start_ticks)) {
    state.status = "stopped";
  } else {
    const auto tree = linux::detect_cgroups();
    const bool waits = std::filesystem::exists(gate_file(options), error);
    const bool frozen = tree && linux::cgroup_is_frozen(*tree, state.cgroup);
    state.status = waits ? "created" : frozen ? "paused" : "running";
  }
  return state;
}

json::Value state_document(const OciState& state) {
  json::Object object;
  object["ociVersion"] = "1.0.2";
  object["id"] = state.id;
  object["status"] = state.status;
  object["pid"] = state.status == "stopped" ? 0 : state.pid;
  object["bundle"] = state.bundle;
  json::Object annotations;
  for (const auto& [name, value] : state.annotations) annotations[name] = value;
  object["annotations"] = std::move(annotations);
  return object;
}

Result<> start_container(const OciOptions& options) {
  auto state = read_state(options);
  if (!state) return fail(std::move(state).error());
  if (state->status != "created") {
    return fail(Code::conflict, "container '" + options.id + "' is " + state->status);
  }
  auto gate = linux::open_file(gate_file(options), O_RDONLY | O_NONBLOCK);
  if (!gate) return fail(std::move(gate).error());
  auto pidfd = linux::open_pidfd(static_cast<pid_t>(state->pid));
  if (!pidfd) return fail(std::move(pidfd).error());
  // The child's open returns now and it writes one byte; or it has died.
  pollfd entries[] = {{gate->get(), POLLIN, 0}, {pidfd->get(), POLLIN, 0}};
  while (::poll(entries, 2, -1) < 0 && errno == EINTR) {
  }
  char byte = 0;
  if (::read(gate->get(), &byte, 1) != 1) {
    return fail(Code::internal, "container '" + options.id + "' ended before it was started");
  }
  ::unlink(gate_file(options).c_str());
  return {};
}

Result<> kill_container(const OciOptions& options, int signal_number, bool all) {
  auto state = read_state(options);
  if (!state) return fail(std::move(state).error());
  if (all && signal_number == SIGKILL) {
    auto tree = linux::detect_cgroups();
    if (!tree) return fail(std::move(tree).error());
    return linux::kill_cgroup(*tree, state->cgroup);
  }
  if (state->status == "stopped") {
    return fail(Code::conflict, "container '" + options.id + "' is not running");
  }
  auto pidfd = linux::open_pidfd(static_cast<pid_t>(state->pid));
  if (!pidfd) return fail(std::move(pidfd).error());
  return linux::send_signal(pidfd->get(), signal_number);
}

Result<> delete_container(const OciOptions& options, bool force) {
  if (auto clean = check_id(options.id); !clean) return clean;
  auto state = read_state(options);
  std::error_code error;
  if (!state && !std::filesystem::exists(directory(options), error)) {
    if (force) return {};
    return fail(std::move(state).error());
  }
  if (state && state->status != "stopped" && state->status != "created" && !force) {
    return fail(Code::conflict, "container '" + options.id + "' is " + state->status);
  }
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  std::string cgroup = state ? state->cgroup : std::string();
  if (cgroup.empty()) {
    // Killed half way through create: the configuration still names the group.
    if (const auto spec = read_spec(config_file(options))) cgroup = cgroup_of(*spec, options.id);
  }
  if (!cgroup.empty()) {
    if (auto killed = linux::kill_cgroup(*tree, cgroup); !killed) return killed;
    if (auto removed = linux::remove_cgroup(*tree, cgroup); !removed) return removed;
  }
  std::filesystem::remove_all(directory(options), error);
  if (error) return fail(Code::internal, "remove container: " + error.message());
  return {};
}

Result<> pause_container(const OciOptions& options, bool paused) {
  auto state = read_state(options);
  if (!state) return fail(std::move(state).error());
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  return linux::freeze_cgroup(*tree, state->cgroup, paused);
}

Result<> update_container(const OciOptions& options, const json::Value& resources) {
  auto state = read_state(options);
  if (!state) return fail(std::move(state).error());
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  return linux::set_limits(*tree, state->cgroup, parse_resources(resources));
}

Result<ProcessSpec> container_process(const OciOptions& options) {
  auto spec = read_spec(config_file(options));
  if (!spec) return fail(std::move(spec).error());
  return std::move(spec->process);
}

Result<int> exec_in_container(const OciOptions& options, const ProcessSpec& process, bool detach) {
  auto state = read_state(options);
  if (!state) return fail(std::move(state).error());
  if (state->status != "running") {
    return fail(Code::conflict, "container '" + options.id + "' is " + state->status);
  }
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  auto spec = read_spec(config_file(options));
  if (!spec) return fail(std::move(spec).error());
  auto plan = make_plan(options, std::move(*spec));
  if (!plan) return fail(std::move(plan).error());
  plan->cgroup = state->cgroup;
  plan->stdio_is_terminal = process.terminal;
  plan->spec.process = process;
  if (process.terminal && options.console_socket.empty()) {
    return fail(Code::invalid, "a process with a terminal needs --console-socket");
  }
  auto pidfd = linux::open_pidfd(static_cast<pid_t>(state->pid));
  if (!pidfd) return fail(std::move(pidfd).error());
  auto launched = launch_exec(*tree, *plan, process, pidfd->get());
  if (!launched) return fail(std::move(launched).error());
  if (auto done = follow(*launched, options); !done) {
    (void)linux::wait_for(launched->pid);
    return fail(std::move(done).error());
  }
  if (auto done = write_pid_file(options, launched->pid); !done) {
    return fail(std::move(done).error());
  }
  if (detach) return 0;
  auto status = linux::wait_for(launched->pid);
  if (!status) return fail(std::move(status).error());
  return status->code;
}

}  // namespace koi::runtime
