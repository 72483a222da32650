#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

struct StatefulSetFacts {
  const json::Value& stateful_set;
  std::vector<api::ObjectPtr> pods{};  // all that it owns
  base::WallTime now{};
};

struct StatefulSetPlan {
  std::vector<std::int64_t> create{};  // ordinals
  std::vector<api::ObjectPtr> remove{};
  json::Value status{};
  std::optional<base::WallTime> check_again{};
};

// Why koi does not run this StatefulSet; empty where it does.
std::string stateful_set_refusal(const json::Value& stateful_set);

// Pods name-0, name-1, ...: made in order and removed in reverse, each only when those before it
// are available (or all at once with podManagementPolicy Parallel); replaced from the last to the
// first when the template changes.
StatefulSetPlan plan_stateful_set(const StatefulSetFacts& facts);

json::Value stateful_pod(const api::Object& stateful_set, std::int64_t ordinal);

}  // namespace koi::controllers
