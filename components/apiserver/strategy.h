#pragma once

#include "api/status.h"
#include "apiserver/call.h"

namespace koi::apiserver {

// What the server decides about a new object before anybody checks it: its first status, and the
// fields that follow from others.
void prepare_for_create(const Call& call, json::Value& object);

// Keeps apart what belongs to the object's owner (spec) and to its controllers (status): of each
// write only the part that the subresource stands for is taken, the rest stays as it was.
void prepare_for_update(const Call& call, const json::Value& before, json::Value& object);

}  // namespace koi::apiserver
