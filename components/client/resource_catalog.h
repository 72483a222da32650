#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/api_client.h"

namespace koi::client {

// One kind that the API serves, as discovery describes it.
struct ResourceInfo {
  Resource resource{};
  std::string kind{};
  bool namespaced = true;
  bool listable = true;  // list, watch and delete are served
};

// What is served now. Called again whenever definitions may have changed.
using ResourceCatalog = std::function<std::vector<ResourceInfo>()>;

// "apps/v1", or "v1" of the core group.
inline std::string api_version_of(const Resource& resource) {
  return resource.group.empty() ? resource.version : resource.group + "/" + resource.version;
}

}  // namespace koi::client
