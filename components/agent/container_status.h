#pragma once

#include "agent/observed.h"

namespace koi::agent {

// One entry of status.containerStatuses or status.initContainerStatuses. `before` is the pod's
// status so far: an entry that the node has forgotten (after a restart) is kept from it. Pure.
json::Value container_status(const PodView& pod, const ContainerView& container,
                             const PodObserved& seen, const json::Value& before);

// The entry of that name in a pod's status, or null.
const json::Value* find_container_status(const json::Value& status, std::string_view name);

}  // namespace koi::agent
