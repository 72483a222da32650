#include "apiserver/versions.h"

#include "api/convert.h"
#include "apiserver/metadata.h"
#include "apiserver/shaping.h"

namespace koi::apiserver {

Call stored_call(const Call& call) {
  Call out = call;
  if (call.resource->stored_as != nullptr) out.resource = call.resource->stored_as;
  return out;
}

api::StatusOr<json::Value> stored_body(const Call& call, json::Value body) {
  auto shaped = shape(call, *call.resource->kind, std::move(body));
  if (!shaped) return shaped;
  if (auto matched = match_metadata(call, *shaped); !matched) {
    return std::unexpected(matched.error());
  }
  api::convert(*shaped, *call.resource->kind, *call.resource->stored_as->kind);
  return shaped;
}

json::Value viewed(const Resource& resource, const json::Value& stored) {
  json::Value out = stored;
  if (resource.stored_as != nullptr) api::convert(out, *resource.stored_as->kind, *resource.kind);
  return out;
}

api::ObjectPtr viewed(const Resource& resource, const api::ObjectPtr& stored) {
  if (resource.stored_as == nullptr) return stored;
  return api::make_object(viewed(resource, stored->value()));
}

void show(const Call& call, ListResult& list) {
  if (call.resource->stored_as == nullptr) return;
  for (api::ObjectPtr& object : list.items) object = viewed(*call.resource, object);
}

api::StatusOr<Written> shown(const Call& call, api::StatusOr<Written> written) {
  if (written) written->object = viewed(*call.resource, written->object);
  return written;
}

}  // namespace koi::apiserver
