#pragma once

#include "api/status.h"
#include "apiserver/call.h"
#include "auth/authenticator.h"
#include "auth/authorizer.h"

// The resources that are questions: a review goes in, and comes back with its status.
namespace koi::apiserver {

struct ReviewDoors {
  const auth::Authorizer& authorizer;
  const auth::Authenticator& authenticator;
  base::WallTime now;
};

api::StatusOr<json::Value> answer_review(const Call& call, json::Value review,
                                         const ReviewDoors& doors);

}  // namespace koi::apiserver
