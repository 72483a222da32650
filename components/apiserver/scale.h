#pragma once

#include "api/status.h"
#include "apiserver/operations.h"

namespace koi::apiserver {

// The autoscaling/v1 Scale of a workload.
api::ObjectPtr scale_of(const api::Object& workload);

// Writes a Scale's replicas into the workload; answers with the new Scale.
Outcome<Written> write_scale(Operations& operations, const Call& call, json::Value scale);
Outcome<Written> patch_scale(Operations& operations, const Call& call, PatchKind kind,
                             const json::Value& patch);

}  // namespace koi::apiserver
