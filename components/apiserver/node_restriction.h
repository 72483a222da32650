#pragma once

#include "api/status.h"
#include "apiserver/call.h"

namespace koi::apiserver {

// Keeps an agent to what belongs to its node: its Node, its Lease, and the pods bound to it.
// Everybody else passes. `before` is the stored state, or null.
api::StatusOr<void> check_node_writes(const Call& call, const json::Value& object,
                                      const json::Value* before);

}  // namespace koi::apiserver
