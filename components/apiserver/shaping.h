#pragma once

#include "api/schema.h"
#include "api/status.h"
#include "apiserver/call.h"

// Bodies and the schema.
namespace koi::apiserver {

// Gives a body the stored form of its kind: unknown fields go (or are refused, as the call asks),
// values of a wrong type are refused, missing ones take their defaults, apiVersion and kind must
// fit.
api::StatusOr<json::Value> shape(const Call& call, const api::Kind& kind, json::Value object);

// Checks what a complete object says against the rules of its kind. `before` is its stored state,
// or null.
api::StatusOr<void> validate(const Call& call, const json::Value& object,
                             const json::Value* before);

}  // namespace koi::apiserver
