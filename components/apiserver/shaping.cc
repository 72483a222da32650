#include "apiserver/shaping.h"

#include "api/defaulting.h"
#include "api/validation.h"

namespace koi::apiserver {

api::StatusOr<json::Value> shape(const Call& call, const api::Kind& kind, json::Value object) {
  auto decoded =
      api::decode_value(std::move(object), kind, call.field_validation, call.duplicate_fields);
  if (!decoded) return std::unexpected(api::bad_request_status(decoded.error().message));
  for (std::string& finding : decoded->findings) call.warn(std::move(finding));
  if (kind.type != nullptr) api::apply_defaults(decoded->value, *kind.type);
  api::apply_defaults(decoded->value, *kind.type);
  return std::move(decoded->value);
}

api::StatusOr<void> validate(const Call& call, const json::Value& object,
                             const json::Value* before) {
  const api::Kind& kind = *call.resource->kind;
  const api::FieldErrors errors = api::validate_object(
      {.kind = &kind, .object = &object, .before = before, .subresource = call.subresource});
  if (errors.empty()) return {};
  return std::unexpected(api::invalid_status(kind.group, kind.kind, call.name, errors));
}

}  // namespace koi::apiserver
