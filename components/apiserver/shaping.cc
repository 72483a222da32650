#include "apiserver/shaping.h"

namespace koi::apiserver {

api::StatusOr<json::Value> shape(const Call& call, const api::Kind& kind, json::Value object) {
  auto decoded =
      api::decode_value(std::move(object), kind, call.field_validation, call.duplicate_fields);
  if (!decoded) return std::unexpected(api::bad_request_status(decoded.error().message));
  for (std::string& finding : decoded->findings) call.warn(std::move(finding));
  return std::move(decoded->value);
}

api::StatusOr<void> validate(const Call& call, const json::Value& object,
                             const json::Value* before) {
  (void)call;
  (void)object;
  (void)before;
  return {};
}

}  // namespace koi::apiserver
