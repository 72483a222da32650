#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace koi::controllers {

// Runs the tasks side by side and returns once all have ended. Cancelling the caller cancels them.
base::Task<> run_all(std::vector<base::Task<>> tasks);

// Performs `action` for 0 .. count-1 in batches of 1, 2, 4, ...: side by side within a batch, and
// no further batch once one failed, so that a broken template costs few requests. Returns the first
// failure.
using Action = std::function<base::Task<base::Result<>>(std::size_t index)>;
base::Task<base::Result<>> slow_start(std::size_t count, Action action);

}  // namespace koi::controllers
