#pragma once

#include <optional>
#include <string>

#include "auth/identity.h"

namespace koi::auth {

// The node whose agent this identity is: named system:node:<name> and in system:nodes.
std::optional<std::string> node_of(const Identity& identity);

// Whether an agent may do this: read what pods need, and write only what belongs to its own node.
// That a pod is bound to the node is checked where the pod is known.
bool node_allows(std::string_view node, const Access& access);

}  // namespace koi::auth
