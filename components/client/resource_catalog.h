#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/schema.h"
#include "client/api_client.h"

namespace koi::client {

// One kind that the API serves, as discovery describes it.
struct ResourceInfo {
  Resource resource{};
  std::string kind{};
  bool namespaced = true;
  bool listable = true;  // list, watch and delete are served
};

// What is served now, of each group the preferred version first. Called again whenever definitions
// may have changed.
using ResourceCatalog = std::function<std::vector<ResourceInfo>()>;

// The resources of a schema, which must outlive the catalog.
ResourceCatalog catalog_of(const api::Schema& schema);

// "apps/v1", or "v1" of the core group.
std::string api_version_of(const Resource& resource);

}  // namespace koi::client
