#pragma once

#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// Chooses which `count` of the pods a scale-down deletes. First go those that are not assigned, not
// running, not ready, cheaper by the pod-deletion-cost annotation, on nodes with more of `related`
// (pods of all ReplicaSets with the same owner), ready for a shorter time, restarted more often,
// younger; times count in powers of two.
std::vector<api::ObjectPtr> choose_pods_to_delete(std::vector<api::ObjectPtr> pods,
                                                  const std::vector<api::ObjectPtr>& related,
                                                  std::size_t count, base::WallTime now);

}  // namespace koi::controllers
