#include "agent/adoption.h"

#include <algorithm>

#include "agent/container_status.h"
#include "agent/pod_status.h"

namespace koi::agent {

namespace {

constexpr int killed_exit_code = 137;

base::WallTime time_at(const json::Value& value, json::Path path, base::WallTime otherwise) {
  const auto parsed = base::parse_time(json::string_at(value, path));
  return parsed ? *parsed : otherwise;
}

std::string bare_id(std::string_view id) {
  const auto separator = id.find("://");
  return std::string(separator == std::string_view::npos ? id : id.substr(separator + 3));
}

runtime::ContainerExit exit_of(const json::Value& terminated, base::WallTime now) {
  runtime::ContainerExit exit;
  exit.code = static_cast<int>(json::int_at(terminated, {"exitCode"}, killed_exit_code));
  exit.started = time_at(terminated, {"startedAt"}, now);
  exit.finished = time_at(terminated, {"finishedAt"}, now);
  exit.message = json::string_at(terminated, {"message"});
  const auto reason = json::string_at(terminated, {"reason"});
  exit.out_of_memory = reason == "OOMKilled";
  if (reason == "StartError") exit.start_error = exit.message;
  return exit;
}

// The newest attempt as the API has it, for a container that the runtime does not know.
std::optional<runtime::ContainerState> latest_in_status(const json::Value& status,
                                                        const std::string& name,
                                                        base::WallTime now) {
  const auto* ended = json::find(status, {"state", "terminated"});
  const auto* running = json::find(status, {"state", "running"});
  if (!ended && !running) ended = json::find(status, {"lastState", "terminated"});
  if (!ended && !running) return std::nullopt;
  runtime::ContainerState state;
  state.name = name;
  state.attempt = static_cast<std::uint32_t>(json::int_at(status, {"restartCount"}, 0));
  state.id = bare_id(json::string_at(status, {"containerID"}));
  if (ended) {
    state.exit = exit_of(*ended, now);
    state.started = state.exit->started;
    if (state.id.empty()) state.id = bare_id(json::string_at(*ended, {"containerID"}));
    return state;
  }
  state.started = time_at(*running, {"startedAt"}, now);
  runtime::ContainerExit exit;
  exit.code = killed_exit_code;
  exit.started = state.started;
  exit.finished = now;
  exit.message = "the container was gone when the node came back";
  state.exit = std::move(exit);
  return state;
}

base::MonoTime mono_of(base::WallTime wall, const Now& now) {
  const auto ago = std::max(now.wall - wall, base::Duration{0});
  return now.mono - ago;
}

// What the runtime has of one container: its newest attempt, and the one before as last state.
void take_running(const runtime::PodState& running, const std::string& name, const Now& now,
                  ContainerObserved& state) {
  std::vector<const runtime::ContainerState*> attempts;
  for (const auto& container : running.containers) {
    if (container.name == name) attempts.push_back(&container);
  }
  if (attempts.empty()) return;
  std::ranges::sort(attempts, {}, [](const auto* attempt) { return attempt->attempt; });
  state.latest = *attempts.back();
  if (attempts.size() > 1 && attempts[attempts.size() - 2]->exit) {
    state.last_state = terminated_state(*attempts[attempts.size() - 2]);
  }
  state.crash_backoff.assume_tries(state.latest->attempt, now.mono);
}

void take_status(const json::Value& status, ContainerObserved& state) {
  const auto restarts = json::int_at(status, {"restartCount"}, 0);
  const bool ran = !json::string_at(status, {"containerID"}).empty() || restarts > 0 ||
                   json::find(status, {"lastState", "terminated"});
  if (ran) {
    state.next_attempt = std::max(state.next_attempt, static_cast<std::uint32_t>(restarts) + 1);
  }
  state.image_id = json::string_at(status, {"imageID"});
  if (const auto* last = json::find(status, {"lastState", "terminated"})) {
    if (!state.last_state) state.last_state = *last;
  }
  const auto id = bare_id(json::string_at(status, {"containerID"}));
  if (state.running() && state.latest->id == id) {
    state.ready = json::bool_at(status, {"ready"});
    state.started = json::bool_at(status, {"started"});
  }
}

}  // namespace

PodObserved observe_adopted(const PodView& pod, const std::optional<runtime::PodState>& running,
                            const Now& now) {
  PodObserved seen;
  const bool alive = running && running->shim_alive;
  seen.sandbox_up = alive;
  seen.start_time = pod.start_time ? *pod.start_time : now.wall;
  seen.pod_ip = json::string_at(pod.value(), {"status", "podIP"});
  const auto phase = json::string_at(pod.value(), {"status", "phase"});
  if (is_terminal_phase(phase)) seen.terminal_phase = phase;
  const auto* status = json::find(pod.value(), {"status"});
  for (const auto& container : pod.containers) {
    auto& state = seen.containers[container.name];
    if (running) take_running(*running, container.name, now, state);
    const auto* known = status ? find_container_status(*status, container.name) : nullptr;
    if (known && !state.latest && (alive || container.kind == ContainerKind::app)) {
      state.latest = latest_in_status(*known, container.name, now.wall);
    }
    if (state.latest) state.next_attempt = state.latest->attempt + 1;
    if (known) take_status(*known, state);
    if (state.exited()) state.exited_at = mono_of(state.latest->exit->finished, now);
    if (state.latest && container.kind == ContainerKind::app) seen.initialized = true;
  }
  if (!alive) observe_lost_sandbox(pod, seen, now);
  const bool any_running = std::ranges::any_of(
      seen.containers, [](const auto& entry) { return entry.second.running(); });
  seen.final_status_saved = !seen.terminal_phase.empty() && !any_running;
  return seen;
}

void observe_lost_sandbox(const PodView& pod, PodObserved& seen, const Now& now) {
  seen.sandbox_up = false;
  seen.network_ready = false;
  bool over = seen.initialized;
  for (const auto& container : pod.containers) {
    auto& state = seen.containers[container.name];
    state.stopping.reset();
    state.stop_wanted.reset();
    state.ready = state.started = state.post_start_running = false;
    if (state.running()) {
      runtime::ContainerExit exit;
      exit.code = killed_exit_code;
      exit.started = state.latest->started;
      exit.finished = now.wall;
      state.latest->exit = std::move(exit);
      state.exited_at = now.mono;
    }
    if (container.kind == ContainerKind::app) {
      over = over && state.exited() && !should_restart(container.restart_policy, state.exit_code());
    } else if (state.exited()) {
      state.last_state = terminated_state(*state.latest);
      state.latest.reset();
    }
  }
  seen.initialized = over;
}

}  // namespace koi::agent
