#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// What is left in a namespace that is being deleted.
struct NamespaceContents {
  std::map<std::string, std::size_t> resources{};   // "deployments.apps" to count
  std::map<std::string, std::size_t> finalizers{};  // finalizer to objects that carry it
  std::string failure{};                            // why something could not be deleted

  bool is_empty() const { return resources.empty(); }
};

// The conditions that tell a user why a namespace does not go away, over those that it has.
json::Array namespace_conditions(const json::Value& object, const NamespaceContents& contents,
                                 base::WallTime now);

}  // namespace koi::controllers
