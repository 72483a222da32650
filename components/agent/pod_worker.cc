#include "agent/pod_worker.h"

#include <algorithm>

#include "agent/adoption.h"
#include "agent/unsupported.h"
#include "base/blocking_pool.h"
#include "base/log.h"
#include "client/object_key.h"

namespace koi::agent {

namespace {

constexpr base::Duration set_up_delay_min = std::chrono::milliseconds{500};
constexpr base::Duration set_up_delay_max = std::chrono::seconds{122};

// As Go prints durations: "40s", "1m20s".
std::string duration_text(base::Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  const auto rest = std::to_string(seconds % 60) + "s";
  return seconds < 60 ? rest : std::to_string(seconds / 60) + "m" + rest;
}

}  // namespace

PodWorker::PodWorker(WorkerContext& context, api::ObjectPtr pod,
                     const std::optional<runtime::PodState>& running)
    : context_(context),
      pod_(view_pod(std::move(pod))),
      tasks_(context.executor),
      retired_(context.executor),
      changed_(context.executor),
      probe_event_(context.executor),
      status_changed_(context.executor) {
  seen_ = observe_adopted(pod_, running, now());
  sandbox_stale_ = running && !running->shim_alive;
  if (running) network_namespace_ = running->network_namespace;
  status_held_ = seen_.sandbox_up;
  if (!seen_.sandbox_up && seen_.terminal_phase.empty()) {
    if (auto reason = find_unsupported(pod_.value())) {
      seen_.refused = Waiting{"UnsupportedFeature", std::move(*reason), {}};
    }
  }
}

base::Task<> PodWorker::run() {
  co_await live();
  co_await stop();
}

base::Task<> PodWorker::stop() {
  // What ends meanwhile finds no run of its own any more.
  const auto runs = std::move(runs_);
  runs_.clear();
  for (const auto& [name, run] : runs) co_await run->stop();
  co_await tasks_.stop();
  co_await retired_.wait_idle();
  holds_.clear();
}

base::Task<> PodWorker::live() {
  if (seen_.refused)
    report(client::EventType::warning, "UnsupportedFeature", seen_.refused->message);
  for (const auto& key : references_of(pod_.value())) {
    holds_.emplace_back(context_.references, pod_.name_space, key);
  }
  for (const auto& container : pod_.containers) {
    if (seen_.at(container.name).running()) begin_run(container);
  }
  tasks_.spawn("status", sync_status());
  while (!is_done()) {
    dirty_ = false;
    co_await read_log_messages();
    if (volumes_stale_ && seen_.volumes_ready && !seen_.end_began) co_await refresh_volumes();
    auto plan = plan_sync(pod_, seen_, now());
    for (const auto& action : plan.actions) co_await perform(action);
    status_dirty_ = true;
    if (is_settled()) status_held_ = false;
    status_changed_.notify_all();
    if (!plan.actions.empty()) continue;
    arm(plan.wake_at);
    arm(tokens_due_);
    if (!dirty_) co_await changed_.wait();
  }
  co_await remove_logs();
}

// False while an adopted pod is only being found again: its status has not changed.
bool PodWorker::is_settled() const {
  const bool complete = seen_.volumes_ready && seen_.sandbox_up && seen_.network_ready;
  return complete || !seen_.sandbox_up || seen_.end_began || seen_.removed ||
         set_up_delay_ > base::Duration{0};
}

base::Task<> PodWorker::perform(const Action& action) {
  if (std::holds_alternative<action::PrepareVolumes>(action)) {
    co_await prepare_volumes();
  } else if (std::holds_alternative<action::StartSandbox>(action)) {
    co_await start_sandbox();
  } else if (std::holds_alternative<action::AttachNetwork>(action)) {
    co_await attach_network();
  } else if (std::holds_alternative<action::MarkInitialized>(action)) {
    seen_.initialized = true;
  } else if (const auto* start = std::get_if<action::StartContainer>(&action)) {
    co_await start_container(start->name);
  } else if (const auto* back_off = std::get_if<action::BackOff>(&action)) {
    back_off_restart(*back_off);
  } else if (const auto* stop = std::get_if<action::BeginStop>(&action)) {
    begin_stop(*stop);
  } else if (const auto* signal = std::get_if<action::Signal>(&action)) {
    co_await send_signal(*signal);
  } else if (const auto* fail = std::get_if<action::FailPod>(&action)) {
    seen_.ending = fail->ending;
    report(client::EventType::normal, fail->ending.reason, fail->ending.message);
  } else if (std::holds_alternative<action::BeginEnd>(action)) {
    seen_.end_began = now().mono;
  } else {
    co_await tear_down();
  }
}

void PodWorker::back_off_restart(const action::BackOff& step) {
  const auto where = pod_.name + "_" + pod_.name_space + "(" + pod_.uid + ")";
  const std::string what = "restarting failed container";
  const auto message =
      "back-off " + duration_text(step.delay) + " " + what + "=" + step.name + " pod=" + where;
  seen_.containers[step.name].waiting = Waiting{"CrashLoopBackOff", message, step.until};
  report(*pod_.find_container(step.name), client::EventType::warning, "BackOff",
         "Back-off " + what + " " + step.name + " in pod " + where);
}

Now PodWorker::now() const { return {context_.doors.clock.now(), context_.doors.clock.wall_now()}; }

void PodWorker::notify() {
  dirty_ = true;
  changed_.notify_all();
}

void PodWorker::arm(std::optional<base::MonoTime> at) {
  if (!at || (!alarms_.empty() && *alarms_.begin() <= *at)) return;
  alarms_.insert(*at);
  tasks_.spawn("alarm", alarm(*at));
}

base::Task<> PodWorker::alarm(base::MonoTime at) {
  co_await context_.doors.clock.sleep_until(at);
  alarms_.erase(at);
  if (tokens_due_ && now().mono >= *tokens_due_) volumes_stale_ = true;
  notify();
}

bool PodWorker::is_done() const { return seen_.torn_down && (seen_.removed || deleted_from_api_); }

void PodWorker::update(const api::ObjectPtr& pod) {
  if (client::revision_of(*pod) <= client::revision_of(*pod_.object)) return;
  if (const auto change = find_unsupported_change(pod_.value(), pod->value())) {
    report(client::EventType::warning, "UnsupportedFeature", *change);
  }
  absorb(pod);
  const auto& volumes = json::array_at(pod_.value(), {"spec", "volumes"});
  volumes_stale_ =
      volumes_stale_ || std::ranges::any_of(volumes, [](const json::Value& volume) {
        return json::find(volume, {"downwardAPI"}) || json::find(volume, {"projected"});
      });
  notify();
}

void PodWorker::remove() {
  seen_.removed = true;
  notify();
}

void PodWorker::container_exited(const runtime::ContainerState& container) {
  auto& state = seen_.containers[container.name];
  if (state.latest && state.latest->attempt > container.attempt) return;
  if (state.latest && state.latest->id == container.id && state.latest->exit) return;
  state.latest = container;
  state.next_attempt = container.attempt + 1;
  state.exited_at = now().mono;
  state.stopping.reset();
  state.stop_wanted.reset();
  state.stop_grace_seconds.reset();
  state.ready = state.started = state.post_start_running = false;
  end_run(container.name);
  const auto* view = pod_.find_container(container.name);
  const auto policy = view ? json::string_at(*view->spec, {"terminationMessagePolicy"}) : "";
  if (policy == "FallbackToLogsOnError" && container.exit && container.exit->message.empty()) {
    log_messages_due_.insert(container.name);
  }
  notify();
}

void PodWorker::sandbox_lost() {
  for (const auto& [name, state] : seen_.containers) end_run(name);
  observe_lost_sandbox(pod_, seen_, now());
  sandbox_stale_ = true;
  if (!pod_.deleted) {
    report(client::EventType::normal, "SandboxChanged",
           "Pod sandbox changed, it will be killed and re-created.");
  }
  notify();
}

void PodWorker::reference_changed(const ReferenceKey& key) {
  const auto used = references_of(pod_.value());
  if (!used.contains(key)) return;
  volumes_stale_ = true;
  if (seen_.waiting) seen_.waiting->retry_at = now().mono;
  for (auto& [name, state] : seen_.containers) {
    if (state.waiting && state.waiting->reason == "CreateContainerConfigError") {
      state.waiting->retry_at = now().mono;
    }
  }
  notify();
}

void PodWorker::network_changed() {
  if (seen_.waiting) seen_.waiting->retry_at = now().mono;
  notify();
}

void PodWorker::report(client::EventType type, std::string_view reason, std::string_view message) {
  context_.events.record(*pod_.object, type, reason, message);
}

void PodWorker::report(const ContainerView& container, client::EventType type,
                       std::string_view reason, std::string_view message) {
  auto about = client::reference_to(*pod_.object);
  const std::string list =
      container.kind == ContainerKind::app ? "spec.containers{" : "spec.initContainers{";
  about.as_object()["fieldPath"] = list + container.name + "}";
  context_.events.record(about, type, reason, message);
}

void PodWorker::set_up_failed(std::string_view reason, const std::string& message) {
  const auto doubled = std::min(set_up_delay_ * 2, set_up_delay_max);
  set_up_delay_ = std::max(doubled, set_up_delay_min);
  seen_.waiting = Waiting{std::string(reason), message, now().mono + set_up_delay_};
  report(client::EventType::warning, reason, message);
}

void PodWorker::wait_container(const ContainerView& container, std::string_view reason,
                               const std::string& message, base::Duration delay) {
  seen_.containers[container.name].waiting =
      Waiting{std::string(reason), message, now().mono + delay};
}

DownwardFacts PodWorker::downward_facts() const {
  DownwardFacts facts;
  facts.pod_ip = pod_.host_network ? context_.options.node_ip : seen_.pod_ip;
  facts.host_ip = context_.options.node_ip;
  facts.node_name = context_.options.node_name;
  facts.allocatable_cpu_milli = context_.cpu_milli;
  facts.allocatable_memory_bytes = context_.memory_bytes;
  facts.allocatable_storage_bytes = context_.storage_bytes;
  return facts;
}

}  // namespace koi::agent
