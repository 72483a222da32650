#include <algorithm>

#include "agent/pod_worker.h"

// Hooks and probes of running containers.
namespace koi::agent {

namespace {

using client::EventType;

constexpr base::Duration post_start_timeout = std::chrono::hours{1};
constexpr std::size_t output_bytes_max = 1024;

std::string words_text(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

bool PodWorker::is_current(const std::string& name, const std::string& id) const {
  const auto& state = seen_.at(name);
  return state.running() && state.latest->id == id;
}

void PodWorker::begin_run(const ContainerView& container) {
  const auto& state = seen_.at(container.name);
  auto& run = runs_[container.name];
  run = std::make_unique<base::TaskGroup>(context_.executor);
  const std::string& id = state.latest->id;
  if (state.post_start_running) {
    run->spawn("postStart/" + container.name, post_start(container.name, id));
  }
  for (const auto kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness}) {
    const auto field = probe_field(kind);
    if (!container.has(field) || (kind == ProbeKind::startup && state.started)) continue;
    run->spawn(std::string(field) + "/" + container.name, probe(container.name, id, kind));
  }
}

void PodWorker::end_run(const std::string& name) {
  const auto found = runs_.find(name);
  if (found == runs_.end()) return;
  auto run = std::move(found->second);
  runs_.erase(found);
  run->cancel();
  retired_.spawn("retire/" + name, retire(std::move(run)));
}

base::Task<> PodWorker::retire(std::unique_ptr<base::TaskGroup> run) { co_await run->stop(); }

// Calls what a probe or hook names. Exactly one of the members is set.
base::Task<ProbeOutcome> PodWorker::call(ActionTarget target, std::string container_id,
                                         base::Duration timeout) {
  if (target.http) {
    co_return co_await context_.doors.prober.http_get(std::move(*target.http), timeout);
  }
  if (target.tcp) {
    co_return co_await context_.doors.prober.tcp_connect(target.tcp->first, target.tcp->second,
                                                         timeout);
  }
  ProbeOutcome outcome;
  if (target.sleep) {
    const auto nap = std::min(*target.sleep, timeout);
    co_await context_.doors.clock.sleep_for(nap);
    outcome.success = true;
    co_return outcome;
  }
  auto result =
      co_await context_.doors.runtime.exec(pod_.uid, container_id, target.command, timeout);
  if (!result) {
    outcome.message = result.error().message;
    if (result.error().code == base::Code::timeout) {
      outcome.message =
          "command timed out: \"" + words_text(target.command) + "\" timed out after " +
          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(timeout).count()) + "s";
    }
    co_return outcome;
  }
  outcome.success = result->exit_code == 0;
  outcome.message = result->output.substr(0, output_bytes_max);
  co_return outcome;
}

base::Task<> PodWorker::post_start(std::string name, std::string id) {
  const PodView pod = pod_;
  const auto& container = *pod.find_container(name);
  const auto* hook = json::find(*container.spec, {"lifecycle", "postStart"});
  const auto target = read_action(*hook, *container.spec, seen_.pod_ip);
  const auto outcome = co_await call(target, id, post_start_timeout);
  if (!is_current(name, id)) co_return;
  auto& state = seen_.containers[name];
  state.post_start_running = false;
  if (!outcome.success) {
    report(container, EventType::warning, "FailedPostStartHook",
           "PostStartHook failed: " + outcome.message);
    state.stop_wanted = "FailedPostStartHook";
  }
  notify();
}

base::Task<> PodWorker::pre_stop(std::string name, std::string id, base::Duration grace) {
  const PodView pod = pod_;
  const auto& container = *pod.find_container(name);
  const auto* hook = json::find(*container.spec, {"lifecycle", "preStop"});
  const auto target = read_action(*hook, *container.spec, seen_.pod_ip);
  const auto outcome = co_await call(target, id, grace);
  if (!outcome.success) {
    report(container, EventType::warning, "FailedPreStopHook",
           "PreStopHook failed: " + outcome.message);
  }
  auto& state = seen_.containers[name];
  if (is_current(name, id) && state.stopping) state.stopping->hook_running = false;
  notify();
}

base::Task<> PodWorker::probe(std::string name, std::string id, ProbeKind kind) {
  const PodView pod = pod_;
  const auto& container = *pod.find_container(name);
  const auto& json_spec = *json::find(*container.spec, {probe_field(kind)});
  const auto spec = read_probe(json_spec);
  const auto age = now().wall - seen_.at(name).latest->started;
  const auto delay = spec.initial_delay - std::max(age, base::Duration{0});
  if (delay > base::Duration{0}) co_await context_.doors.clock.sleep_for(delay);
  ProbeTally tally(spec);
  while (is_current(name, id)) {
    if (kind != ProbeKind::startup && !seen_.at(name).started) {
      co_await probe_event_.wait();
      continue;
    }
    // Who is on the way out is not restarted, but may still become unready.
    if (kind != ProbeKind::readiness && seen_.at(name).stopping) co_return;
    const auto target = read_action(json_spec, *container.spec, seen_.pod_ip);
    const auto outcome = co_await call(target, id, spec.timeout);
    if (!is_current(name, id)) co_return;
    const auto verdict = tally.add(outcome.success);
    if (!probe_finding(container, kind, spec, outcome, verdict)) co_return;
    co_await context_.doors.clock.sleep_for(spec.period);
  }
}

// Acts on one result. False when this probe has nothing more to find out.
bool PodWorker::probe_finding(const ContainerView& container, ProbeKind kind, const ProbeSpec& spec,
                              const ProbeOutcome& outcome, std::optional<bool> verdict) {
  auto& state = seen_.containers[container.name];
  const std::string title(probe_title(kind));
  if (!outcome.success) {
    report(container, EventType::warning, "Unhealthy", title + " probe failed: " + outcome.message);
  }
  if (!verdict) return true;
  if (kind == ProbeKind::readiness) {
    if (state.ready != *verdict) {
      state.ready = *verdict;
      notify();
    }
    return true;
  }
  if (!*verdict) {
    if (state.stopping || seen_.end_began) return false;
    const char* which = kind == ProbeKind::startup ? "startup" : "liveness";
    state.stop_wanted =
        "Container " + container.name + " failed " + which + " probe, will be restarted";
    state.stop_grace_seconds = spec.grace_seconds;
    notify();
    return false;
  }
  if (kind == ProbeKind::liveness) return true;
  state.started = true;
  probe_event_.notify_all();
  notify();
  return false;
}

}  // namespace koi::agent
