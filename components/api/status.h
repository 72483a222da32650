#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

// metav1.Status: every answer of the API that is no object, in the words clients match on.
namespace koi::api {

enum class FieldErrorType {
  required,
  invalid,
  type_invalid,
  not_supported,
  duplicate,
  forbidden,
  too_long,
  too_many,
  not_found,
  internal,
};

// One rule that one field breaks. `value` is what the user sent, where the message shows it.
struct FieldError {
  FieldErrorType type = FieldErrorType::invalid;
  std::string field;
  std::optional<json::Value> value;
  std::string detail;

  // "Invalid value: \"x\": must be ...": what a cause says.
  std::string body() const;
  // "spec.containers: Required value".
  std::string message() const { return field + ": " + body(); }
};

using FieldErrors = std::vector<FieldError>;

FieldError required(std::string field, std::string detail = {});
FieldError invalid(std::string field, json::Value value, std::string detail);
FieldError type_invalid(std::string field, json::Value value, std::string detail);
FieldError not_supported(std::string field, json::Value value,
                         const std::vector<std::string_view>& supported);
FieldError duplicate(std::string field, json::Value value);
FieldError forbidden(std::string field, std::string detail);
FieldError too_long(std::string field, std::size_t bytes_max);
FieldError too_many(std::string field, std::size_t count, std::size_t count_max);
FieldError not_found_value(std::string field, json::Value value);

// `text` as Go's %q prints it.
std::string quoted(std::string_view text);

struct StatusCause {
  std::string reason;
  std::string message;
  std::string field;
};

// What a Status is about. `kind` holds the plural resource for most reasons, the Kind for Invalid.
struct StatusDetails {
  std::string name;
  std::string group;
  std::string kind;
  std::string uid;
  std::vector<StatusCause> causes;
  std::int64_t retry_after_seconds = 0;

  bool is_empty() const;
};

// A metav1.Status. `http_code` is also the code of the response that carries it.
struct Status {
  int http_code = 500;
  std::string reason;
  std::string message;
  StatusDetails details{};
  // metadata.continue: where a list whose revision is gone may go on.
  std::string continue_token{};

  bool is_success() const { return http_code < 300; }
  json::Value to_json() const;
  // Reads one back; a document of another shape becomes InternalError.
  static Status from_json(const json::Value& value);
  // The code a caller inside the process acts on.
  base::Error to_error() const;
};

// A value, or the answer that the client gets in its stead.
template <class T = void>
using StatusOr = std::expected<T, Status>;

// Names a resource (plural) or one object of it, in messages: `deployments.apps "web"`.
struct ResourceName {
  std::string_view group{};
  std::string_view resource{};
  std::string_view name{};
};

// Who wanted what, for Forbidden. `path` is set instead of the rest for non-resource requests.
struct AccessDenied {
  std::string_view user{};
  std::string_view verb{};
  std::string_view group{};
  std::string_view resource{};
  std::string_view subresource{};
  std::string_view name_space{};
  std::string_view name{};
  std::string_view path{};
  // Why, from the authorizer. May be empty.
  std::string_view reason{};
};

Status success_status(const ResourceName& about, std::string_view uid);
Status not_found_status(const ResourceName& about);
// Nothing is served under this path.
Status no_such_path_status();
Status already_exists_status(const ResourceName& about);
Status generate_name_conflict_status(const ResourceName& about);
Status conflict_status(const ResourceName& about, std::string_view why);
// The object was modified since the revision the caller wrote against.
Status modified_status(const ResourceName& about);
// `kind` is the Kind, as in `Deployment.apps "web" is invalid: ...`.
Status invalid_status(std::string_view group, std::string_view kind, std::string_view name,
                      const FieldErrors& errors);
Status forbidden_status(const ResourceName& about, std::string_view why);
Status access_denied_status(const AccessDenied& denied);
Status unauthorized_status();
Status bad_request_status(std::string_view message);
Status method_not_supported_status(const ResourceName& about, std::string_view action);
Status method_not_allowed_status();
Status not_acceptable_status(std::string_view accepted_media_types);
Status unsupported_media_type_status(std::string_view accepted_media_types);
Status too_large_status(std::size_t bytes_max);
Status expired_status(std::string_view message);
// A watch or exact read below the oldest revision that is kept.
Status too_old_revision_status(std::int64_t requested, std::int64_t oldest);
// A continue token whose revision is gone.
Status continue_expired_status();
// The revision asked for lies in the future.
Status too_large_revision_status(std::int64_t requested, std::int64_t current);
Status gone_status(std::string_view message);
Status timeout_status(std::string_view message, std::int64_t retry_after_seconds);
Status server_timeout_status(const ResourceName& about, std::string_view action,
                             std::int64_t retry_after_seconds);
Status too_many_requests_status(std::string_view message, std::int64_t retry_after_seconds);
Status unavailable_status(std::string_view message);
Status internal_status(std::string_view message);
Status not_implemented_status(std::string_view message);

// The answer for a failure that grew inside the server.
Status status_from(const base::Error& error, const ResourceName& about);

}  // namespace koi::api
