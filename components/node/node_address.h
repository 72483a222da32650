#pragma once

#include <string>

#include "base/result.h"

namespace koi::node {

// The address that this machine's default route leaves from; without such a route the first one of
// an interface that is up and not the loopback. Sends nothing. Fails with unavailable when the
// machine has none, and says how to give one.
base::Result<std::string> find_node_address();

}  // namespace koi::node
