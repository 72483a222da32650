#pragma once

#include <string>
#include <vector>

#include "agent/machine_facts.h"
#include "agent/options.h"
#include "images/image_store.h"
#include "json/value.h"

// The Node object, made from facts. Pure.
namespace koi::agent {

struct NodeFacts {
  SystemInfo system;
  MachineCapacity capacity;
  MachinePressure pressure;
  std::vector<images::Image> images;
  std::string network_problem;  // why pods cannot be attached; empty when they can
  base::WallTime now;
};

// The labels that the agent sets on its node.
json::Object node_labels(const AgentOptions& options, const SystemInfo& system);

// A Node to create.
json::Value new_node(const AgentOptions& options, const SystemInfo& system);

// The status of the node. A condition keeps its lastTransitionTime from `before` while its status
// stays the same.
json::Value node_status(const AgentOptions& options, const NodeFacts& facts,
                        const json::Value& before);

// True when the two differ in more than heartbeat times.
bool node_status_differs(const json::Value& before, const json::Value& after);

}  // namespace koi::agent
