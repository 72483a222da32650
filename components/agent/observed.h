#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/crash_backoff.h"
#include "agent/pod_view.h"
#include "base/time.h"
#include "runtime/pod_runtime.h"

// What the agent knows of a pod on its node: the facts that plan and status are made from.
namespace koi::agent {

// Why something does not run now, in the words of the API, and when it is tried again.
struct Waiting {
  std::string reason;
  std::string message;
  base::MonoTime retry_at;
};

// A running container on its way out.
struct Stopping {
  base::MonoTime kill_at;     // when patience ends
  base::Duration promised{};  // the pod's grace period when this began
  bool hook_running = false;  // preStop has not returned
  bool term_sent = false;
  bool kill_sent = false;
};

// 128 + signal where a signal ended the process, as shells and the API count.
int api_exit_code(const runtime::ContainerExit& exit);

struct ContainerObserved {
  std::optional<runtime::ContainerState> latest;  // the newest attempt, running or ended
  std::optional<json::Value> last_state;          // status.lastState of the attempt before
  std::uint32_t next_attempt = 0;                 // also the restart count plus one, once it ran
  base::MonoTime exited_at;                       // when `latest` ended
  std::string image_id;                           // status.imageID
  std::optional<Waiting> waiting;
  std::optional<Stopping> stopping;
  std::optional<std::string> stop_wanted;          // a probe wants it restarted: the event's text
  std::optional<std::int64_t> stop_grace_seconds;  // the probe's own patience
  CrashBackoff crash_backoff;
  CrashBackoff pull_backoff;
  base::MonoTime pull_retry_at;
  bool post_start_running = false;
  bool ready = false;    // readiness probe; true at once without one
  bool started = false;  // startup probe and postStart; true at once without

  bool running() const { return latest && !latest->exit; }
  bool exited() const { return latest && latest->exit; }
  int exit_code() const { return api_exit_code(*latest->exit); }
  bool succeeded() const { return exited() && exit_code() == 0; }
};

// A pod that ends by the node's decision.
struct Ending {
  std::string reason;  // "DeadlineExceeded"
  std::string message;
};

struct PodObserved {
  std::optional<Waiting> refused;  // koi cannot run this pod: stays Pending
  std::optional<Waiting> waiting;  // the last try to set the pod up failed
  bool volumes_ready = false;
  bool sandbox_up = false;
  bool network_ready = false;
  bool initialized = false;         // every init container is done
  bool final_status_saved = false;  // the API has the exit of every container
  bool torn_down = false;           // sandbox, network and volumes are gone
  bool removed = false;             // the API has no such pod any more
  std::optional<Ending> ending;
  std::string terminal_phase;  // "Succeeded" or "Failed" once the API says so
  std::optional<base::MonoTime> end_began;
  std::string pod_ip;
  std::optional<base::WallTime> start_time;
  std::map<std::string, ContainerObserved, std::less<>> containers;

  const ContainerObserved& at(std::string_view name) const;
};

}  // namespace koi::agent
