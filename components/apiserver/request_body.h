#pragma once

#include "api/status.h"
#include "apiserver/call.h"
#include "apiserver/exchange.h"
#include "apiserver/operations.h"

namespace koi::apiserver {

// The body as a value, whatever its format. Notes in the call which fields came twice.
api::StatusOr<json::Value> read_body_value(const Exchange& exchange, const api::Schema& schema,
                                           Call& call);

// Which patch the content type announces; refuses what koi does not apply.
api::StatusOr<PatchKind> patch_kind(const Exchange& exchange);
// The patch itself, JSON.
api::StatusOr<json::Value> read_patch(const Exchange& exchange, Call& call);

// The options of a deletion, from the body or from the query.
api::StatusOr<DeleteQuery> read_delete_query(const Exchange& exchange, const api::Schema& schema,
                                             Call& call);

// What the query says about lists and watches.
api::StatusOr<ListQuery> read_list_query(const Exchange& exchange);
api::StatusOr<WatchQuery> read_watch_query(const Exchange& exchange);
// dryRun, fieldManager and fieldValidation.
api::StatusOr<void> read_write_options(const Exchange& exchange, Call& call);

}  // namespace koi::apiserver
