#pragma once

#include <functional>

#include "base/time.h"
#include "client/api_client.h"

namespace koi::client {

// Changes a copy of the object; returns whether there is anything to write.
using Change = std::function<bool(json::Value& object)>;

// Reads the object, lets `change` edit it and writes it back with its resourceVersion; begins again
// a few times when someone else wrote in between. The ref's subresource says where it is written.
// Returns the object as it is afterwards. `change` may be called several times.
base::Task<base::Result<api::ObjectPtr>> modify(ApiClient& client, const ObjectRef& ref,
                                                const Change& change);

}  // namespace koi::client
