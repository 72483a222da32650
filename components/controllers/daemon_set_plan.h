#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

struct DaemonSetFacts {
  const json::Value& daemon_set;
  std::vector<api::ObjectPtr> nodes{};
  std::vector<api::ObjectPtr> pods{};  // all that it owns
  base::WallTime now{};
};

struct DaemonSetPlan {
  std::vector<std::string> create{};  // names of nodes
  std::vector<api::ObjectPtr> remove{};
  json::Value status{};
  std::optional<base::WallTime> check_again{};
};

// Why koi does not run this DaemonSet; empty where it does.
std::string daemon_set_refusal(const json::Value& daemon_set);

// One pod on every node that the template accepts, replaced node by node when the template changes.
DaemonSetPlan plan_daemon_set(const DaemonSetFacts& facts);

// The pod for one node: bound by the scheduler, tolerating what a node in trouble is tainted with.
json::Value daemon_pod(const api::Object& daemon_set, const std::string& node);

}  // namespace koi::controllers
