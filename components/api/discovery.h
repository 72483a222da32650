#pragma once

#include <optional>
#include <string_view>

#include "api/schema.h"
#include "json/value.h"

// What a server offers, as clients ask for it before anything else. Pure functions of the schema:
// callers keep the serialized answers until the schema changes.
namespace koi::api {

// GET /api. `server_address` is "host:port", where clients outside reach the server.
json::Value discover_core_versions(std::string_view server_address);
// GET /apis.
json::Value discover_groups(const Schema& schema);
// GET /apis/<group>; nothing for an unknown group.
std::optional<json::Value> discover_group(const Schema& schema, std::string_view group);
// GET /api/v1 and /apis/<group>/<version>; nothing where no kind is served.
std::optional<json::Value> discover_resources(const Schema& schema, std::string_view group,
                                              std::string_view version);

enum class DiscoveryRoot { core, groups };

// GET /api or /apis as one APIGroupDiscoveryList. `version` is "v2" or "v2beta1".
json::Value discover_all(const Schema& schema, DiscoveryRoot root, std::string_view version);

// The media type of such a list; clients fall back to the plain lists unless it is echoed exactly.
std::string_view discovery_media_type(std::string_view version);

}  // namespace koi::api
