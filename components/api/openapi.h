#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/schema.h"

// The OpenAPI documents that kubectl validates, explains and merges by. They are generated as text
// in small pieces; callers keep (compressed) copies until the schema changes.
namespace koi::api {

// Takes the next piece of a document, a few KiB at a time.
using TextSink = std::function<void(std::string_view)>;

// GET /openapi/v2 as JSON. `server_version` is "v1.36.0".
void write_openapi_v2(const Schema& schema, std::string_view server_version, const TextSink& sink);

// GET /openapi/v2 as gnostic's openapi.v2.Document message, which Go clients ask for. Holds the
// definitions, and of the paths what clients look up there.
void write_openapi_v2_protobuf(const Schema& schema, std::string_view server_version,
                               const TextSink& sink);

// What clients ask for to get it: the old spelling, which is no media type by Go's parser, or the
// new one. The answer's Content-Type must be the new one in both cases.
inline constexpr std::string_view openapi_v2_protobuf_accepted =
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
inline constexpr std::string_view openapi_v2_protobuf_media_type =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

// GET /openapi/v3/<api/v1 or apis/group/version>. False, and nothing written, where no kind is
// served.
bool write_openapi_v3(const Schema& schema, std::string_view server_version, std::string_view group,
                      std::string_view version, const TextSink& sink);

// GET /openapi/v3: the address of every document, with a hash that changes when the text does.
// Generates each document once to know it.
std::string openapi_v3_index(const Schema& schema, std::string_view server_version);

// What follows "hash=" in the index for one document.
std::string openapi_v3_hash(const Schema& schema, std::string_view server_version,
                            std::string_view group, std::string_view version);

}  // namespace koi::api
