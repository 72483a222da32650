#pragma once

#include "apiserver/operations.h"
#include "base/task.h"

namespace koi::apiserver {

// Removes Events an hour after they were last seen, for as long as it runs.
base::Task<> expire_events(Operations& operations);

}  // namespace koi::apiserver
