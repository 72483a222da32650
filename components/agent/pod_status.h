#pragma once

#include <string>
#include <vector>

#include "agent/observed.h"

namespace koi::agent {

struct StatusFacts {
  std::string host_ip;
  base::WallTime now;
};

// status.phase as the facts say. Never leaves a terminal phase.
std::string pod_phase(const PodView& pod, const PodObserved& seen);

// The whole status that the agent owns, in the shape of the API. `before` is the status it replaces
// (the API's, or the last one built): times of conditions that did not change, and what the node
// forgot in a restart, are kept from it. Pure.
json::Value build_status(const PodView& pod, const PodObserved& seen, const json::Value& before,
                         const StatusFacts& facts);

// state.terminated of an ended container.
json::Value terminated_state(const runtime::ContainerState& container);

// "guaranteed", "burstable" or "besteffort", from requests and limits.
std::string qos_class(const json::Value& pod);

}  // namespace koi::agent
