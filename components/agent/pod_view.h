#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::agent {

// The part a container plays in its pod.
enum class ContainerKind {
  init,     // runs to completion before the next
  sidecar,  // an init container that keeps running
  app,
};

enum class RestartPolicy { always, on_failure, never };

// One container of a pod. `spec` points into the pod object that the view holds.
struct ContainerView {
  std::string name;
  ContainerKind kind = ContainerKind::app;
  RestartPolicy restart_policy = RestartPolicy::always;
  std::string image;
  const json::Value* spec = nullptr;

  bool has(std::string_view field) const { return json::find(*spec, {field}) != nullptr; }
};

// What the agent reads of a pod again and again. Immutable; holds the object alive.
struct PodView {
  api::ObjectPtr object;
  std::string uid;
  std::string name;
  std::string name_space;
  RestartPolicy restart_policy = RestartPolicy::always;
  bool host_network = false;
  bool deleted = false;                      // metadata.deletionTimestamp is set
  std::int64_t deletion_grace_seconds = 30;  // of the deletion, else of the pod
  std::optional<std::int64_t> active_deadline_seconds;
  std::optional<base::WallTime> start_time;  // status.startTime, once there is one
  std::vector<ContainerView> containers;     // init containers first, in the order of the spec

  const json::Value& value() const { return object->value(); }
  const ContainerView* find_container(std::string_view container_name) const;
};

PodView view_pod(api::ObjectPtr object);

// True when status.phase is one that a pod never leaves.
bool is_terminal_phase(std::string_view phase);

// True when a container that ended with `exit_code` is to be started again.
bool should_restart(RestartPolicy policy, int exit_code);

}  // namespace koi::agent
