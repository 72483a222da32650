#pragma once

#include <string_view>

#include "json/value.h"

namespace koi::apiserver {

// "Guaranteed", "Burstable" or "BestEffort": what the requests and limits of a pod promise.
std::string_view quality_class(const json::Value& pod);

}  // namespace koi::apiserver
