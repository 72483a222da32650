#pragma once

#include "json/value.h"

namespace koi::json {

// RFC 7386: null removes, objects merge, everything else replaces.
void apply_merge_patch(Value& target, const Value& patch);

}  // namespace koi::json
