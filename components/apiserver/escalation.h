#pragma once

#include "api/status.h"
#include "apiserver/call.h"
#include "auth/authorizer.h"

namespace koi::apiserver {

// Nobody grants by a role or binding what they do not hold, unless they may `escalate` or `bind`.
// `before` is the stored state, or null.
api::StatusOr<void> check_escalation(const Call& call, const json::Value& object,
                                     const json::Value* before, const auth::Authorizer& authorizer);

}  // namespace koi::apiserver
