#pragma once

#include "agent/observed.h"
#include "agent/plan.h"

namespace koi::agent {

// What is known of a pod when its worker begins: `running` is what the runtime has of it, the pod's
// status fills in what the node forgot. Containers that run go on; restart counts never fall. Pure.
PodObserved observe_adopted(const PodView& pod, const std::optional<runtime::PodState>& running,
                            const Now& now);

// The sandbox is gone and with it what ran in it: containers count as killed, init containers have
// to run again.
void observe_lost_sandbox(const PodView& pod, PodObserved& seen, const Now& now);

}  // namespace koi::agent
