#pragma once

#include <optional>
#include <string_view>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// A condition of an object's status, or null.
const json::Value* find_condition(const json::Value& object, std::string_view type);
bool is_condition_true(const json::Value& object, std::string_view type);

// Neither finished nor being deleted.
bool is_pod_active(const api::Object& pod);
bool is_pod_finished(const api::Object& pod);
bool is_pod_ready(const api::Object& pod);
// When a ready pod becomes or became available: ready for `min_ready`. Absent while not ready.
std::optional<base::WallTime> pod_available_at(const api::Object& pod, base::Duration min_ready);

// The time below `path`; absent where there is none.
std::optional<base::WallTime> time_at(const json::Value& object, json::Path path);

}  // namespace koi::controllers
