#include "apiserver/patching.h"

#include "api/strategic_merge.h"
#include "json/json_patch.h"
#include "json/merge_patch.h"

namespace koi::apiserver {

namespace {

api::Status unprocessable(std::string message) {
  return {.http_code = 422, .reason = "Invalid", .message = std::move(message)};
}

}  // namespace

api::StatusOr<json::Value> apply_patch(const api::Type& type, PatchKind kind,
                                       const json::Value& current, const json::Value& patch) {
  if (kind == PatchKind::json) {
    json::Value object = current;
    auto applied = json::apply_json_patch(object, patch);
    if (!applied) return std::unexpected(unprocessable(std::move(applied).error().message));
    return object;
  }
  if (!patch.is_object()) {
    return std::unexpected(api::bad_request_status("a merge patch must be an object"));
  }
  if (kind == PatchKind::merge) {
    json::Value object = current;
    json::apply_merge_patch(object, patch);
    return object;
  }
  auto merged = api::apply_strategic_merge(current, patch, type);
  if (!merged) return std::unexpected(api::bad_request_status(merged.error().message));
  return std::move(*merged);
}

}  // namespace koi::apiserver
