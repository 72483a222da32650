#pragma once

#include "api/status.h"
#include "apiserver/call.h"
#include "apiserver/operations.h"

namespace koi::apiserver {

// What the object becomes under a patch. Refuses what does not apply, with the answer for the
// client.
api::StatusOr<json::Value> apply_patch(const api::Type& type, PatchKind kind,
                                       const json::Value& current, const json::Value& patch);

}  // namespace koi::apiserver
