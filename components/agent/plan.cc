#include "agent/plan.h"

#include <algorithm>
#include <ranges>

namespace koi::agent {

namespace {

using base::Duration;
using base::MonoTime;
using std::chrono::seconds;

// A container that is asked to stop late still gets this long.
constexpr Duration stop_grace_min = seconds{2};

class Planner {
 public:
  Planner(const PodView& pod, const PodObserved& seen, const Now& now)
      : pod_(pod), seen_(seen), now_(now) {}

  Plan run() {
    if (seen_.torn_down) return std::move(plan_);
    if (seen_.removed) {
      act(action::TearDown{});
    } else if (wants_end()) {
      plan_end();
    } else if (!seen_.refused) {
      plan_life();
    }
    return std::move(plan_);
  }

 private:
  void act(Action action) { plan_.actions.push_back(std::move(action)); }

  void wake(MonoTime at) {
    if (!plan_.wake_at || at < *plan_.wake_at) plan_.wake_at = at;
  }

  const ContainerObserved& of(const ContainerView& container) const {
    return seen_.at(container.name);
  }

  bool finished(const ContainerView& container) const {
    const auto& state = of(container);
    return state.exited() && !should_restart(container.restart_policy, state.exit_code());
  }

  bool init_failed() const {
    if (seen_.initialized) return false;
    return std::ranges::any_of(pod_.containers, [this](const auto& container) {
      const auto& state = of(container);
      return container.kind == ContainerKind::init && finished(container) && state.exit_code() != 0;
    });
  }

  bool apps_finished() const {
    return seen_.initialized && std::ranges::all_of(pod_.containers, [this](const auto& container) {
             return container.kind != ContainerKind::app || finished(container);
           });
  }

  bool wants_end() const {
    return pod_.deleted || seen_.ending || !seen_.terminal_phase.empty() || init_failed() ||
           apps_finished();
  }

  void plan_life() {
    if (!plan_deadline() || !plan_setup() || !plan_init()) return;
    for (const auto& container : pod_.containers) {
      if (container.kind == ContainerKind::app && !plan_container(container)) return;
    }
  }

  // Each plan_ step returns whether the next one may follow.
  bool plan_deadline() {
    const auto start = seen_.start_time ? seen_.start_time : pod_.start_time;
    if (!pod_.active_deadline_seconds || !start) return true;
    const auto left = *start + seconds{*pod_.active_deadline_seconds} - now_.wall;
    if (left > Duration{0}) {
      wake(now_.mono + left);
      return true;
    }
    act(action::FailPod{
        {"DeadlineExceeded", "Pod was active on the node longer than the specified deadline"}});
    return false;
  }

  bool plan_setup() {
    if (seen_.volumes_ready && seen_.sandbox_up && seen_.network_ready) return true;
    if (seen_.waiting && now_.mono < seen_.waiting->retry_at) {
      wake(seen_.waiting->retry_at);
    } else if (!seen_.volumes_ready) {
      act(action::PrepareVolumes{});
    } else if (!seen_.sandbox_up) {
      act(action::StartSandbox{});
    } else {
      act(action::AttachNetwork{});
    }
    return false;
  }

  bool plan_init() {
    for (const auto& container : pod_.containers) {
      if (container.kind == ContainerKind::app) continue;
      const auto& state = of(container);
      const bool sidecar = container.kind == ContainerKind::sidecar;
      if (!sidecar && (seen_.initialized || state.succeeded())) continue;
      const bool calm = plan_container(container);
      if (seen_.initialized && !calm) return false;
      if (!seen_.initialized && !(sidecar && calm && state.running() && state.started))
        return false;
    }
    if (seen_.initialized) return true;
    act(action::MarkInitialized{});
    return false;
  }

  // Keeps one container going. False when the containers behind it must wait.
  bool plan_container(const ContainerView& container) {
    const auto& state = of(container);
    if (state.running()) {
      plan_running(container, state);
      return !state.post_start_running;
    }
    if (finished(container)) return true;
    if (state.waiting && now_.mono < state.waiting->retry_at) {
      wake(state.waiting->retry_at);
      return true;
    }
    if (state.exited() && !state.waiting) {
      const auto until = state.crash_backoff.not_before(state.exited_at);
      if (now_.mono < until) {
        act(action::BackOff{container.name, state.crash_backoff.delay(), until});
        return true;
      }
    }
    act(action::StartContainer{container.name});
    return false;
  }

  void plan_running(const ContainerView& container, const ContainerObserved& state) {
    if (state.stopping) {
      advance_stop(container, state);
    } else if (state.stop_wanted) {
      const auto grace = state.stop_grace_seconds.value_or(
          json::int_at(pod_.value(), {"spec", "terminationGracePeriodSeconds"}, 30));
      act(action::BeginStop{container.name, seconds{grace}, *state.stop_wanted});
    }
  }

  void plan_end() {
    if (!seen_.end_began) return act(action::BeginEnd{});
    bool apps_running = false;
    for (const auto& container : pod_.containers) {
      if (container.kind == ContainerKind::sidecar || !of(container).running()) continue;
      apps_running = true;
      plan_stop(container);
    }
    if (apps_running) return;
    for (const auto& container : pod_.containers | std::views::reverse) {
      if (container.kind == ContainerKind::sidecar && of(container).running()) {
        return plan_stop(container);
      }
    }
    if (seen_.final_status_saved) act(action::TearDown{});
  }

  Duration end_grace() const {
    if (pod_.deleted) return seconds{pod_.deletion_grace_seconds};
    return seconds{json::int_at(pod_.value(), {"spec", "terminationGracePeriodSeconds"}, 30)};
  }

  void plan_stop(const ContainerView& container) {
    const auto& state = of(container);
    if (state.stopping) return advance_stop(container, state);
    const auto left = *seen_.end_began + end_grace() - now_.mono;
    const auto least = container.kind == ContainerKind::sidecar ? stop_grace_min : Duration{0};
    act(action::BeginStop{container.name, std::max(left, least),
                          "Stopping container " + container.name});
  }

  void advance_stop(const ContainerView& container, const ContainerObserved& state) {
    auto kill_at = state.stopping->kill_at;
    if (seen_.end_began && end_grace() < state.stopping->promised) {
      // A second deletion has shortened the grace period.
      kill_at = std::min(kill_at, *seen_.end_began + end_grace());
    }
    if (state.stopping->kill_sent) return;
    if (now_.mono >= kill_at && (state.stopping->term_sent || end_grace() == Duration{0})) {
      return act(action::Signal{container.name, true});
    }
    if (state.stopping->hook_running && now_.mono < kill_at) return wake(kill_at);
    if (!state.stopping->term_sent) return act(action::Signal{container.name, false});
    wake(kill_at);
  }

  const PodView& pod_;
  const PodObserved& seen_;
  const Now& now_;
  Plan plan_;
};

}  // namespace

const ContainerObserved& PodObserved::at(std::string_view name) const {
  static const ContainerObserved none;
  const auto found = containers.find(name);
  return found == containers.end() ? none : found->second;
}

Plan plan_sync(const PodView& pod, const PodObserved& seen, const Now& now) {
  return Planner(pod, seen, now).run();
}

}  // namespace koi::agent
