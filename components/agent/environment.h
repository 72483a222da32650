#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/downward.h"
#include "agent/references.h"
#include "base/result.h"

namespace koi::agent {

// Variables in the order in which they were first set.
class Environment {
 public:
  // A later value replaces an earlier one, in its place.
  void set(std::string name, std::string value);
  void set_assignment(std::string_view assignment);  // "NAME=value"
  const std::string* find(std::string_view name) const;
  // "NAME=value" each.
  std::vector<std::string> list() const;

 private:
  std::vector<std::pair<std::string, std::string>> variables_;
  std::map<std::string, std::size_t, std::less<>> positions_;
};

struct EnvironmentInputs {
  const json::Value* pod = nullptr;
  const json::Value* container = nullptr;
  const std::vector<std::string>* image_env = nullptr;
  const ReferenceMap* references = nullptr;
  DownwardFacts facts;
  std::map<std::string, std::string> services;  // from service_variables()
  std::string hostname;
};

// The environment of a container: the image's, then the services', envFrom, env. Fails with invalid
// and the text of a CreateContainerConfigError where a reference does not resolve. Pure.
base::Result<Environment> build_environment(const EnvironmentInputs& inputs);

// What the services that a pod in `name_space` sees are called in its environment. The cluster's
// own service is always among them; the rest only with `all`.
std::map<std::string, std::string> service_variables(const std::vector<api::ObjectPtr>& services,
                                                     std::string_view name_space, bool all);

}  // namespace koi::agent
