#pragma once

#include "api/status.h"
#include "apiserver/operations.h"
#include "auth/service_account_tokens.h"

namespace koi::apiserver {

// serviceaccounts/x/token: answers with the request and its token.
Outcome<Written> request_token(const Operations& operations,
                               const auth::ServiceAccountTokens& tokens, const Call& call,
                               json::Value request);

}  // namespace koi::apiserver
