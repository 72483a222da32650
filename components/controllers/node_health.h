#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// What is known about a node's health.
struct NodeHealthFacts {
  const json::Value& node;
  // How long neither its lease nor its conditions have changed, on our own clock.
  base::Duration silent_for{};
  base::Duration grace{};
  // No node at all is healthy: then it is more likely us who are cut off, and nothing is evicted.
  bool all_dark = false;
  base::WallTime now{};
};

// What a node's object has to say; absent where it says so already.
struct NodeHealthPlan {
  std::optional<json::Array> conditions{};
  std::optional<json::Array> taints{};
  // Nobody reports its pods any more: none of them counts as ready.
  bool is_unheard = false;
};

NodeHealthPlan plan_node_health(const NodeHealthFacts& facts);

// "True", "False", "Unknown", or empty where the node has no such condition.
std::string_view ready_status(const json::Value& node);

// When the NoExecute taints of a node evict a pod: the moment at which the first untolerated or
// least tolerated taint runs out; absent for never. Taints count from when they were added, but not
// from before `not_before`.
std::optional<base::WallTime> eviction_time(const json::Value& node, const json::Value& pod,
                                            base::WallTime not_before, base::WallTime now);

}  // namespace koi::controllers
