#pragma once

#include "base/result.h"
#include "json/value.h"

namespace koi::json {

// RFC 6902: applies every operation or none. Fails with invalid for a patch that is malformed,
// names what is not there, or whose test does not hold; the message names the operation by its
// index.
base::Result<> apply_json_patch(Value& target, const Value& patch);

}  // namespace koi::json
