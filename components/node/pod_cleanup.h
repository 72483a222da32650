#pragma once

#include "base/files.h"
#include "base/result.h"

namespace koi::node {

// Ends every pod of the node below `data_dir` and removes what koi made for them: shims, mounts,
// control groups, interfaces and rules. For when koi itself is stopped. Returns how many pods
// ended; fails with unavailable while koi runs.
base::Result<std::size_t> end_all_pods(const base::Path& data_dir);

}  // namespace koi::node
