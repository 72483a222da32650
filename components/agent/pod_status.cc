#include "agent/pod_status.h"

#include <algorithm>

#include "agent/container_status.h"
#include "agent/pod_conditions.h"
#include "agent/quantity.h"

namespace koi::agent {

namespace {

// How many containers are in which state, as far as the phase goes.
struct Census {
  int pending_init = 0;
  int failed_init = 0;
  int waiting = 0;
  int running = 0;
  int stopped = 0;
  int succeeded = 0;
  int finished = 0;
};

void count_init(const ContainerView& container, const ContainerObserved& state, bool initialized,
                Census& census) {
  if (initialized) return;
  if (container.kind == ContainerKind::sidecar) {
    if (!(state.running() && state.started)) ++census.pending_init;
    return;
  }
  if (state.succeeded()) return;
  const bool over = state.exited() && !should_restart(container.restart_policy, state.exit_code());
  ++(over ? census.failed_init : census.pending_init);
}

void count_app(const ContainerView& container, const ContainerObserved& state, Census& census) {
  if (state.running()) {
    ++census.running;
  } else if (state.exited()) {
    ++census.stopped;
    if (state.exit_code() == 0) ++census.succeeded;
    if (!should_restart(container.restart_policy, state.exit_code())) ++census.finished;
  } else if (state.last_state) {
    ++census.stopped;
  } else {
    ++census.waiting;
  }
}

bool is_ending(const PodView& pod, const PodObserved& seen) {
  return pod.deleted || seen.ending.has_value();
}

std::string phase_of(const PodView& pod, const PodObserved& seen, const Census& census) {
  const int total = census.waiting + census.running + census.stopped;
  const bool over = is_ending(pod, seen) && seen.end_began && census.running == 0;
  if (seen.ending && over) return "Failed";
  if (census.failed_init > 0) return "Failed";
  if (over && census.stopped > 0) {
    return census.stopped == census.succeeded && census.waiting == 0 ? "Succeeded" : "Failed";
  }
  if (census.pending_init > 0 || census.waiting > 0) return "Pending";
  if (census.running > 0) return "Running";
  if (total == 0 || census.finished < census.stopped) return "Running";
  return census.stopped == census.succeeded ? "Succeeded" : "Failed";
}

void keep(const json::Value& before, json::Object& status, std::string_view field) {
  if (const auto* value = json::find(before, {field})) status[field] = *value;
}

void put_addresses(const PodView& pod, const PodObserved& seen, const json::Value& before,
                   const StatusFacts& facts, json::Object& status) {
  if (!facts.host_ip.empty()) {
    status["hostIP"] = facts.host_ip;
    status["hostIPs"] = json::Array{json::Object{{"ip", facts.host_ip}}};
  }
  const std::string ip = pod.host_network && seen.sandbox_up ? facts.host_ip : seen.pod_ip;
  if (ip.empty()) {
    keep(before, status, "podIP");
    keep(before, status, "podIPs");
    return;
  }
  status["podIP"] = ip;
  status["podIPs"] = json::Array{json::Object{{"ip", ip}}};
}

void put_containers(const PodView& pod, const PodObserved& seen, const json::Value& before,
                    json::Object& status) {
  json::Array init;
  json::Array apps;
  for (const auto& container : pod.containers) {
    const bool app = container.kind == ContainerKind::app;
    (app ? apps : init).push_back(container_status(pod, container, seen, before));
  }
  if (!init.empty()) status["initContainerStatuses"] = std::move(init);
  status["containerStatuses"] = std::move(apps);
}

void put_reason(const PodObserved& seen, const json::Value& before, json::Object& status) {
  if (seen.ending) {
    status["reason"] = seen.ending->reason;
    status["message"] = seen.ending->message;
  } else if (!seen.terminal_phase.empty()) {
    keep(before, status, "reason");
    keep(before, status, "message");
  } else if (seen.refused) {
    status["reason"] = seen.refused->reason;
    status["message"] = seen.refused->message;
  }
}

struct QosTally {
  bool any = false;
  bool guaranteed = true;
};

void tally_qos(const json::Value& container, QosTally& tally) {
  for (const auto* resource : {"cpu", "memory"}) {
    const auto request =
        parse_milli(json::string_at(container, {"resources", "requests", resource}));
    const auto limit = parse_milli(json::string_at(container, {"resources", "limits", resource}));
    if (request.value_or(0) > 0 || limit.value_or(0) > 0) tally.any = true;
    if (limit.value_or(0) <= 0 || (request && *request != *limit)) tally.guaranteed = false;
  }
}

}  // namespace

std::string pod_phase(const PodView& pod, const PodObserved& seen) {
  if (!seen.terminal_phase.empty()) return seen.terminal_phase;
  Census census;
  for (const auto& container : pod.containers) {
    const auto& state = seen.at(container.name);
    if (container.kind == ContainerKind::app) {
      count_app(container, state, census);
    } else {
      count_init(container, state, seen.initialized, census);
    }
  }
  return phase_of(pod, seen, census);
}

json::Value build_status(const PodView& pod, const PodObserved& seen, const json::Value& before,
                         const StatusFacts& facts) {
  json::Object status;
  if (const auto generation = json::int_at(pod.value(), {"metadata", "generation"})) {
    status["observedGeneration"] = *generation;
  }
  const std::string phase = pod_phase(pod, seen);
  status["phase"] = phase;
  put_reason(seen, before, status);
  if (seen.start_time) status["startTime"] = base::format_time(*seen.start_time);
  put_addresses(pod, seen, before, facts, status);
  put_containers(pod, seen, before, status);
  keep(before, status, "qosClass");
  if (!status.contains("qosClass")) {
    const auto qos = qos_class(pod.value());
    const char* shown = qos == "guaranteed" ? "Guaranteed" : "BestEffort";
    status["qosClass"] = qos == "burstable" ? "Burstable" : shown;
  }
  json::Value result = std::move(status);
  auto conditions = pod_conditions(pod, seen, phase, result, before, facts.now);
  result.as_object()["conditions"] = std::move(conditions);
  return result;
}

int api_exit_code(const runtime::ContainerExit& exit) {
  if (!exit.start_error.empty()) return exit.code != 0 ? exit.code : 128;
  return exit.signal != 0 ? 128 + exit.signal : exit.code;
}

json::Value terminated_state(const runtime::ContainerState& container) {
  const auto& exit = *container.exit;
  const int code = api_exit_code(exit);
  json::Object state;
  state["exitCode"] = code;
  if (exit.out_of_memory) {
    state["reason"] = "OOMKilled";
  } else if (!exit.start_error.empty()) {
    state["reason"] = "StartError";
  } else {
    state["reason"] = code == 0 ? "Completed" : "Error";
  }
  if (!exit.start_error.empty()) {
    state["message"] = exit.start_error;
  } else if (!exit.message.empty()) {
    state["message"] = exit.message;
  }
  const auto started = exit.start_error.empty() ? exit.started : base::WallTime{};
  state["startedAt"] = base::format_time(started);
  state["finishedAt"] = base::format_time(exit.finished);
  state["containerID"] = "koi://" + container.id;
  return state;
}

std::string qos_class(const json::Value& pod) {
  QosTally tally;
  for (const auto* field : {"initContainers", "containers"}) {
    for (const auto& container : json::array_at(pod, {"spec", field})) tally_qos(container, tally);
  }
  if (!tally.any) return "besteffort";
  return tally.guaranteed ? "guaranteed" : "burstable";
}

}  // namespace koi::agent
