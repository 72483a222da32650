#pragma once

#include <string>

#include "base/files.h"

namespace koi::node {

// The control group that holds this node's pods: "koi" for the usual data directory, with a mark of
// the directory for any other, so that several nodes can share a machine.
std::string cgroup_parent(const base::Path& data_dir);

}  // namespace koi::node
