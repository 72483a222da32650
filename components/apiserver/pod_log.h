#pragma once

#include "apiserver/api_service.h"
#include "apiserver/exchange.h"
#include "apiserver/node_connection.h"

namespace koi::apiserver {

// GET pods/x/log: asks the pod's node. `nodes` may be null: then there is nobody to ask.
base::Task<api::StatusOr<http::Response>> serve_pod_log(const ApiService& service,
                                                        const Exchange& exchange, const Call& call,
                                                        NodeConnection* nodes);

}  // namespace koi::apiserver
