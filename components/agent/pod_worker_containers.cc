#include <algorithm>
#include <csignal>

#include "agent/container_spec.h"
#include "agent/pod_files.h"
#include "agent/pod_status.h"
#include "agent/pod_worker.h"
#include "agent/signals.h"
#include "base/blocking_pool.h"
#include "base/log.h"
#include "client/object_key.h"

// Starting and stopping containers.
namespace koi::agent {

namespace {

using client::EventType;
using std::chrono::seconds;

constexpr base::Duration config_retry = seconds{10};
// How long the first failure to find an image is shown before the wait for the next try is.
constexpr base::Duration pull_error_shown = seconds{2};
constexpr base::Duration hook_overtime = seconds{2};
constexpr const char* no_pull =
    "koi cannot pull images yet: import it with 'koi image import FILE'";

}  // namespace

std::optional<images::Image> PodWorker::find_image(const ContainerView& container) {
  if (auto name = images::normalize_reference(container.image); !name) {
    const auto message = "Failed to apply default image tag \"" + container.image +
                         "\": couldn't parse image name \"" + container.image +
                         "\": invalid reference format";
    report(container, EventType::warning, "InspectFailed", message);
    report(container, EventType::warning, "Failed", "Error: InvalidImageName");
    wait_container(container, "InvalidImageName", message, std::chrono::minutes{5});
    return std::nullopt;
  }
  auto image = context_.doors.images.find(container.image);
  if (!image) image_missing(container);
  return image;
}

void PodWorker::image_missing(const ContainerView& container) {
  auto& state = seen_.containers[container.name];
  const auto quoted = "\"" + container.image + "\"";
  if (json::string_at(*container.spec, {"imagePullPolicy"}) == "Never") {
    const auto message = "Container image " + quoted + " is not present with pull policy of Never";
    report(container, EventType::warning, "ErrImageNeverPull", message);
    report(container, EventType::warning, "Failed", "Error: ErrImageNeverPull");
    wait_container(container, "ErrImageNeverPull", message, crash_backoff_max);
    return;
  }
  const auto time = now().mono;
  if (time < state.pull_retry_at) {
    report(container, EventType::normal, "BackOff", "Back-off pulling image " + quoted);
    report(container, EventType::warning, "Failed", "Error: ImagePullBackOff");
    wait_container(container, "ImagePullBackOff",
                   "Back-off pulling image " + quoted + ": ErrImagePull: " + no_pull,
                   state.pull_retry_at - time);
    return;
  }
  state.pull_backoff.advance(time, time);
  state.pull_retry_at = time + state.pull_backoff.delay();
  report(container, EventType::warning, "Failed",
         "Failed to pull image " + quoted + ": " + no_pull);
  report(container, EventType::warning, "Failed", "Error: ErrImagePull");
  wait_container(container, "ErrImagePull", no_pull, pull_error_shown);
}

void PodWorker::images_changed() {
  bool waited = false;
  for (auto& [name, state] : seen_.containers) {
    if (!state.waiting || state.waiting->reason.find("Image") == std::string::npos) continue;
    const auto* container = pod_.find_container(name);
    if (!container || !context_.doors.images.find(container->image)) continue;
    state.waiting->retry_at = now().mono;
    state.pull_retry_at = {};
    state.pull_backoff = {};
    waited = true;
  }
  if (waited) notify();
}

base::Task<> PodWorker::start_container(const std::string& name) {
  const PodView pod = pod_;
  const ContainerView& container = *pod.find_container(name);
  const auto image = find_image(container);
  if (!image) co_return;
  auto spec = co_await make_spec(pod, container, *image);
  if (!spec) {
    const auto& message = spec.error().message;
    if (!message.empty()) report(container, EventType::warning, "Failed", "Error: " + message);
    const bool config = spec.error().code == base::Code::invalid;
    const char* reason = config ? "CreateContainerConfigError" : "CreateContainerError";
    if (message.empty()) reason = "ContainerCreating";
    wait_container(container, reason, message, config_retry);
    co_return;
  }
  report(container, EventType::normal, "Pulled",
         "Container image \"" + container.image +
             "\" already present on machine and can be accessed by the pod");
  // The new run may end before the call returns, so what it follows is noted first.
  const auto previous = seen_.at(name).latest;
  const auto previous_end = seen_.at(name).exited_at;
  auto started = co_await context_.doors.runtime.start_container(pod.uid, *spec);
  if (!started) {
    report(container, EventType::warning, "Failed", "Error: " + started.error().message);
    wait_container(container, "CreateContainerError", started.error().message, config_retry);
    co_return;
  }
  auto& state = seen_.containers[name];
  if (previous && previous->exit) {
    state.crash_backoff.advance(previous_end, now().mono);
    state.last_state = terminated_state(*previous);
    tasks_.spawn("drop/" + name, drop_old_attempt(name, previous->id, started->attempt));
  }
  state.image_id = image->id;
  container_started(container, *started);
}

base::Task<base::Result<runtime::ContainerSpec>> PodWorker::make_spec(
    const PodView& pod, const ContainerView& container, const images::Image& image) {
  auto gathered = co_await gather_inputs(pod);
  if (!gathered) co_return base::fail(std::move(gathered).error());
  if (!*gathered) co_return base::fail(base::Code::unavailable, "");
  const bool links = json::bool_at(pod.value(), {"spec", "enableServiceLinks"}, true);
  EnvironmentInputs variables;
  variables.pod = &pod.value();
  variables.container = container.spec;
  variables.image_env = &image.config.env;
  variables.references = &references_;
  variables.facts = downward_facts();
  variables.services = service_variables(context_.services.list(), pod.name_space, links);
  variables.hostname =
      pod_hostname(pod.value(), context_.options.node_name, context_.options.cluster_domain);
  const auto environment = build_environment(variables);
  if (!environment) co_return base::fail(environment.error());
  ContainerInputs inputs;
  inputs.pod = &pod;
  inputs.container = &container;
  inputs.image = &image;
  inputs.environment = &*environment;
  inputs.attempt = seen_.at(container.name).next_attempt;
  for (const auto& volume : json::array_at(pod.value(), {"spec", "volumes"})) {
    const std::string name(json::string_at(volume, {"name"}));
    const auto* host = json::find(volume, {"hostPath"});
    inputs.volumes[name] = host ? base::Path(std::string(json::string_at(*host, {"path"})))
                                : context_.paths.volume(pod.uid, name);
  }
  inputs.hosts = context_.paths.pod_file(pod.uid, "hosts");
  inputs.hostname = context_.paths.pod_file(pod.uid, "hostname");
  inputs.resolv_conf = context_.paths.pod_file(pod.uid, "resolv.conf");
  const auto logs = context_.paths.pod_logs(pod.name_space, pod.name, pod.uid);
  inputs.log_path =
      context_.paths.container_logs(logs, container.name) / AgentPaths::log_name(inputs.attempt);
  inputs.node_memory_bytes = context_.memory_bytes;
  auto spec = build_container_spec(inputs);
  if (!spec) co_return spec;
  if (auto made = co_await make_sub_paths(*spec, pod); !made) {
    co_return base::fail(std::move(made).error());
  }
  co_return spec;
}

base::Task<base::Result<>> PodWorker::make_sub_paths(const runtime::ContainerSpec& spec,
                                                     const PodView& pod) {
  const auto uses_sub_path = [](const runtime::BindMount& mount) {
    return !mount.sub_path.empty();
  };
  if (std::ranges::none_of(spec.mounts, uses_sub_path)) co_return base::Result<>{};
  const auto volumes = context_.paths.volumes(pod.uid).string();
  auto work = [&]() -> base::Result<> {
    for (const auto& mount : spec.mounts) {
      if (mount.sub_path.empty()) continue;
      auto made = context_.doors.disk.make_sub_path(mount.source, mount.sub_path);
      if (!made) return made;
    }
    return {};
  };
  co_return co_await context_.doors.pool.run(work);
}

void PodWorker::container_started(const ContainerView& container,
                                  const runtime::ContainerState& started) {
  auto& state = seen_.containers[container.name];
  const bool ended_already = state.latest && state.latest->id == started.id && state.latest->exit;
  state.waiting.reset();
  state.next_attempt = started.attempt + 1;
  report(container, EventType::normal, "Created", "Container created");
  if (started.exit && !started.exit->start_error.empty()) {
    report(container, EventType::warning, "Failed", "Error: " + started.exit->start_error);
  } else {
    report(container, EventType::normal, "Started", "Container started");
  }
  if (ended_already) return;
  if (started.exit) {
    container_exited(started);
    return;
  }
  state.latest = started;
  state.stop_wanted.reset();
  state.ready = !container.has("readinessProbe");
  state.started = !container.has("startupProbe");
  state.post_start_running = json::find(*container.spec, {"lifecycle", "postStart"}) != nullptr;
  begin_run(container);
}

base::Task<> PodWorker::drop_old_attempt(std::string name, std::string id, std::uint32_t attempt) {
  auto removed = co_await context_.doors.runtime.remove_container(pod_.uid, id);
  if (!removed) {
    base::log::warn("container.remove_failed",
                    {{"container", name}, {"error", removed.error().message}});
  }
  if (attempt < 2) co_return;
  const auto logs = context_.paths.container_logs(
      context_.paths.pod_logs(pod_.name_space, pod_.name, pod_.uid), name);
  auto work = [&] { return context_.doors.disk.drop_logs(logs, attempt - 1); };
  co_await context_.doors.pool.run(work);
}

void PodWorker::begin_stop(const action::BeginStop& step) {
  auto& state = seen_.containers[step.name];
  const auto* container = pod_.find_container(step.name);
  const auto grace = std::max(step.grace, base::Duration{0});
  Stopping stopping;
  stopping.kill_at = now().mono + grace;
  stopping.promised = grace;
  report(*container, EventType::normal, "Killing", step.message);
  const bool hook = json::find(*container->spec, {"lifecycle", "preStop"}) != nullptr;
  stopping.hook_running = hook && grace > base::Duration{0};
  state.stopping = stopping;
  if (!stopping.hook_running) return;
  runs_[step.name]->spawn("preStop/" + step.name, pre_stop(step.name, state.latest->id, grace));
}

base::Task<> PodWorker::send_signal(const action::Signal& step) {
  const std::string name = step.name;
  const bool kill = step.kill;
  auto& stopping = *seen_.containers[name].stopping;
  const std::string id = seen_.containers[name].latest->id;
  const auto* container = pod_.find_container(name);
  int number = SIGKILL;
  if (!kill) {
    const auto own = json::string_at(*container->spec, {"lifecycle", "stopSignal"});
    const auto image = context_.doors.images.find(container->image);
    const auto named = own.empty() && image ? image->config.stop_signal : std::string(own);
    number = signal_number(named).value_or(SIGTERM);
  }
  // A hook that used up the patience leaves the process a moment all the same.
  if (stopping.hook_running) stopping.kill_at = now().mono + hook_overtime;
  (kill ? stopping.kill_sent : stopping.term_sent) = true;
  auto sent = co_await context_.doors.runtime.signal_container(pod_.uid, id, number);
  if (sent) co_return;
  base::log::warn("container.signal_failed", {{"pod", pod_.name},
                                              {"container", name},
                                              {"signal", number},
                                              {"error", sent.error().message}});
  auto& state = seen_.containers[name];
  if (kill && state.stopping) {
    state.stopping->kill_sent = false;
    state.stopping->kill_at = now().mono + hook_overtime;
  }
}

// terminationMessagePolicy FallbackToLogsOnError.
base::Task<> PodWorker::read_log_messages() {
  while (!log_messages_due_.empty()) {
    const std::string name = *log_messages_due_.begin();
    log_messages_due_.erase(log_messages_due_.begin());
    const auto& state = seen_.at(name);
    if (!state.exited() || state.succeeded() || !state.latest->exit->message.empty()) continue;
    const auto attempt = state.latest->attempt;
    const auto logs = context_.paths.pod_logs(pod_.name_space, pod_.name, pod_.uid);
    const auto path = context_.paths.container_logs(logs, name) / AgentPaths::log_name(attempt);
    auto work = [&] { return context_.doors.disk.log_tail(path); };
    auto text = co_await context_.doors.pool.run(work);
    auto& latest = seen_.containers[name].latest;
    if (text && latest && latest->exit && latest->attempt == attempt) {
      latest->exit->message = std::move(*text);
    }
  }
}

}  // namespace koi::agent
