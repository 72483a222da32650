#pragma once

#include "base/random.h"
#include "json/value.h"

// What the cluster adds to pods that do not say otherwise.
namespace koi::apiserver {

// A pod that stands for one that a node runs from a file.
bool is_mirror_pod(const json::Value& pod);

// Mounts a token, the cluster's CA and the namespace where programs look for them, unless the pod
// or its service account opts out; takes over the account's pull secrets.
void add_api_access(json::Value& pod, const json::Value& account, base::Random& random);

// Lets the pod stay 300 s on a node that is not ready or unreachable, unless it says how long.
void add_default_tolerations(json::Value& pod);

}  // namespace koi::apiserver
