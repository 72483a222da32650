#pragma once

#include "api/status.h"
#include "apiserver/operations.h"

// What is created below a pod.
namespace koi::apiserver {

// pods/x/binding: gives the pod its node, once. Answers with a Status.
Outcome<Written> bind_pod(Operations& operations, const Call& call, const json::Value& binding);

// pods/x/eviction: a deletion that waits for the disruption budgets. Answers with a Status.
Outcome<Written> evict_pod(Operations& operations, const Call& call, const json::Value& eviction);

}  // namespace koi::apiserver
