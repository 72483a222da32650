#include <algorithm>
#include <optional>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

// What the statuses of one pod's containers amount to.
struct PodSummary {
  std::int64_t restarts = 0;
  std::optional<base::WallTime> last_restart;
  std::size_t total = 0;
  std::size_t ready = 0;
  std::string reason;
};

struct Restarts {
  std::int64_t count = 0;
  std::optional<base::WallTime> last;

  void add(const json::Value& status) {
    count += json::int_at(status, {"restartCount"}, 0);
    const auto finished =
        base::parse_time(json::string_at(status, {"lastState", "terminated", "finishedAt"}));
    if (finished && (!last || *last < *finished)) last = *finished;
  }
};

const json::Value* init_container(const json::Value& pod, std::string_view name) {
  for (const json::Value& container : json::array_at(pod, {"spec", "initContainers"})) {
    if (json::string_at(container, {"name"}) == name) return &container;
  }
  return nullptr;
}

bool is_sidecar(const json::Value* container) {
  return container != nullptr && json::string_at(*container, {"restartPolicy"}) == "Always";
}

std::string exit_reason(const json::Value& terminated) {
  const std::string_view reason = json::string_at(terminated, {"reason"});
  if (!reason.empty()) return std::string(reason);
  const auto signal = json::int_at(terminated, {"signal"}, 0);
  if (signal != 0) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(json::int_at(terminated, {"exitCode"}, 0));
}

// Why one init container keeps the pod from starting, or nothing if it does not.
std::optional<std::string> init_reason(const json::Value& status, bool is_sidecar_container,
                                       std::size_t index, std::size_t count) {
  const json::Value* terminated = json::find(status, {"state", "terminated"});
  if (terminated != nullptr && json::int_at(*terminated, {"exitCode"}, 0) == 0) return std::nullopt;
  if (is_sidecar_container && json::bool_at(status, {"started"})) return std::nullopt;
  if (terminated != nullptr) return "Init:" + exit_reason(*terminated);
  const std::string_view waiting = json::string_at(status, {"state", "waiting", "reason"});
  if (!waiting.empty() && waiting != "PodInitializing") return "Init:" + std::string(waiting);
  return "Init:" + std::to_string(index) + "/" + std::to_string(count);
}

// Takes in the init containers. True if one of them still holds the pod up.
bool summarize_init(const json::Value& pod, PodSummary& summary, Restarts& all,
                    Restarts& sidecars) {
  const json::Array& containers = json::array_at(pod, {"spec", "initContainers"});
  std::size_t index = 0;
  for (const json::Value& status : json::array_at(pod, {"status", "initContainerStatuses"})) {
    const bool is_restartable = is_sidecar(init_container(pod, json::string_at(status, {"name"})));
    all.add(status);
    if (is_restartable) sidecars.add(status);
    if (auto reason = init_reason(status, is_restartable, index, containers.size())) {
      summary.reason = std::move(*reason);
      return true;
    }
    const bool counts = is_restartable && json::find(status, {"state", "terminated"}) == nullptr;
    if (counts && json::bool_at(status, {"ready"})) ++summary.ready;
    ++index;
  }
  return false;
}

void summarize_containers(const json::Value& pod, PodSummary& summary, Restarts& restarts) {
  bool has_running = false;
  const json::Array& statuses = json::array_at(pod, {"status", "containerStatuses"});
  for (auto status = statuses.rbegin(); status != statuses.rend(); ++status) {
    restarts.add(*status);
    const std::string_view waiting = json::string_at(*status, {"state", "waiting", "reason"});
    const json::Value* terminated = json::find(*status, {"state", "terminated"});
    if (!waiting.empty()) {
      summary.reason = waiting;
    } else if (terminated != nullptr) {
      summary.reason = exit_reason(*terminated);
    } else if (json::bool_at(*status, {"ready"}) &&
               json::find(*status, {"state", "running"}) != nullptr) {
      has_running = true;
      ++summary.ready;
    }
  }
  if (summary.reason == "Completed" && has_running) {
    summary.reason = has_condition(pod, "Ready") ? "Running" : "NotReady";
  }
}

PodSummary summarize(const json::Value& pod) {
  PodSummary summary;
  const std::string_view phase = json::string_at(pod, {"status", "phase"});
  const std::string_view reason = json::string_at(pod, {"status", "reason"});
  summary.reason = reason.empty() ? phase : reason;
  for (const json::Value& condition : json::array_at(pod, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "PodScheduled" &&
        json::string_at(condition, {"reason"}) == "SchedulingGated") {
      summary.reason = "SchedulingGated";
    }
  }
  summary.total = json::array_at(pod, {"spec", "containers"}).size();
  for (const json::Value& container : json::array_at(pod, {"spec", "initContainers"})) {
    if (is_sidecar(&container)) ++summary.total;
  }
  Restarts restarts;
  Restarts sidecars;
  const bool is_initializing = summarize_init(pod, summary, restarts, sidecars);
  if (!is_initializing || has_condition(pod, "Initialized")) {
    restarts = sidecars;
    summarize_containers(pod, summary, restarts);
  }
  summary.restarts = restarts.count;
  summary.last_restart = restarts.last;
  if (json::find(pod, {"metadata", "deletionTimestamp"}) != nullptr) {
    const bool has_ended = phase == "Succeeded" || phase == "Failed";
    if (reason == "NodeLost") {
      summary.reason = "Unknown";
    } else if (!has_ended) {
      summary.reason = "Terminating";
    }
  }
  return summary;
}

std::string readiness_gates(const json::Value& pod) {
  const json::Array& gates = json::array_at(pod, {"spec", "readinessGates"});
  if (gates.empty()) return "<none>";
  const auto passed = std::ranges::count_if(gates, [&pod](const json::Value& gate) {
    return has_condition(pod, json::string_at(gate, {"conditionType"}));
  });
  return std::to_string(passed) + "/" + std::to_string(gates.size());
}

std::string_view pod_ip(const json::Value& pod) {
  const json::Array& addresses = json::array_at(pod, {"status", "podIPs"});
  if (!addresses.empty()) return json::string_at(addresses[0], {"ip"});
  return json::string_at(pod, {"status", "podIP"});
}

}  // namespace

void print_pod(Row& row) {
  const json::Value& pod = row.object();
  const PodSummary summary = summarize(pod);
  std::string restarts = std::to_string(summary.restarts);
  if (summary.restarts != 0 && summary.last_restart) {
    restarts += " (" + human_duration(row.now() - *summary.last_restart) + " ago)";
  }
  row.name();
  row.text(std::to_string(summary.ready) + "/" + std::to_string(summary.total));
  row.text(summary.reason);
  row.text(restarts);
  row.age();
  const std::string_view ip = pod_ip(pod);
  row.text(ip.empty() ? "<none>" : ip);
  row.text_at({"spec", "nodeName"}, "<none>");
  row.text_at({"status", "nominatedNodeName"}, "<none>");
  row.text(readiness_gates(pod));
}

}  // namespace koi::api::tables
