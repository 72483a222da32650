#pragma once

#include "api/status.h"
#include "apiserver/api_service.h"
#include "http/message.h"

namespace koi::apiserver {

// Whom the request acts as: `user`, or whom its Impersonate-* headers name, if `user` may.
api::StatusOr<auth::Identity> impersonated(const ApiService& service, const auth::Identity& user,
                                           const http::Headers& headers);

}  // namespace koi::apiserver
