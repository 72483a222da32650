#pragma once

#include <string>

#include "client/api_client.h"

// Where the API serves what.
namespace koi::client {

// "/apis/apps/v1/namespaces/default/deployments/web/status"; the collection where the name is
// empty.
std::string path_of(const ObjectRef& ref);
// "?labelSelector=...": empty where there is nothing to ask.
std::string query_of(const ListOptions& options);
std::string query_of(const WatchOptions& options);
json::Value body_of(const DeleteOptions& options);

}  // namespace koi::client
