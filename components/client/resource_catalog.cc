#include "client/resource_catalog.h"

namespace koi::client {

ResourceCatalog catalog_of(const api::Schema& schema) {
  return [&schema] {
    std::vector<ResourceInfo> all;
    for (const auto& kind : schema.kinds()) {
      all.push_back(
          {.resource = {std::string(kind.group), std::string(kind.version),
                        std::string(kind.plural)},
           .kind = std::string(kind.kind),
           .namespaced = kind.namespaced,
           .listable = kind.has_verb("list") && kind.has_verb("watch") && kind.has_verb("delete")});
    }
    return all;
  };
}

std::string api_version_of(const Resource& resource) {
  return resource.group.empty() ? resource.version : resource.group + "/" + resource.version;
}

}  // namespace koi::client
