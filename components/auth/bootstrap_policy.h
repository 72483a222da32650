#pragma once

#include <string_view>
#include <vector>

#include "json/value.h"

namespace koi::auth {

struct BootstrapObject {
  std::string_view plural;  // "clusterroles", "clusterrolebindings", "roles", "rolebindings"
  json::Value object;
};

// The roles and bindings that every cluster begins with. They are made where they are missing and
// otherwise left as they are.
std::vector<BootstrapObject> bootstrap_policy();

}  // namespace koi::auth
