#pragma once

#include "api/schema.h"
#include "base/result.h"
#include "json/value.h"

namespace koi::api {

// Applies an application/strategic-merge-patch+json body to an object of `type`: maps merge, null
// removes, lists merge by the key their field declares and are replaced otherwise. Understands
// $patch (replace, delete, merge), $setElementOrder/x, $deleteFromPrimitiveList/x and $retainKeys.
// Fails with Code::invalid and leaves nothing of the original behind.
base::Result<json::Value> apply_strategic_merge(json::Value original, const json::Value& patch,
                                                const Type& type);

}  // namespace koi::api
