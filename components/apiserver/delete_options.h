#pragma once

#include "api/status.h"
#include "apiserver/call.h"

namespace koi::apiserver {

// The DeleteOptions at `member` of a body (the body itself when it is empty). Nothing there asks
// for nothing.
api::StatusOr<DeleteQuery> delete_query_from(const json::Value& body, std::string_view member);

// Fails for a propagation policy that there is not.
api::StatusOr<void> check_propagation(const DeleteQuery& query);

}  // namespace koi::apiserver
