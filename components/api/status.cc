#include "api/status.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

namespace koi::api {

namespace {

struct FieldErrorWords {
  std::string_view reason;
  std::string_view text;
  bool shows_value;
};

constexpr std::array<FieldErrorWords, 10> field_error_words{{
    {"FieldValueRequired", "Required value", false},
    {"FieldValueInvalid", "Invalid value", true},
    {"FieldValueTypeInvalid", "Invalid value", true},
    {"FieldValueNotSupported", "Unsupported value", true},
    {"FieldValueDuplicate", "Duplicate value", true},
    {"FieldValueForbidden", "Forbidden", false},
    {"FieldValueTooLong", "Too long", false},
    {"FieldValueTooMany", "Too many", true},
    {"FieldValueNotFound", "Not found", true},
    {"InternalError", "Internal error", false},
}};

const FieldErrorWords& words_of(FieldErrorType type) {
  return field_error_words.at(static_cast<std::size_t>(type));
}

std::string qualified(std::string_view name, std::string_view group) {
  std::string text(name);
  if (!group.empty()) text.append(".").append(group);
  return text;
}

StatusDetails details_of(const ResourceName& about) {
  StatusDetails details;
  details.name = about.name;
  details.group = about.group;
  details.kind = about.resource;
  return details;
}

std::string subject(const ResourceName& about) {
  return qualified(about.resource, about.group) + " " + quoted(about.name);
}

Status plain(int code, std::string_view reason, std::string message) {
  return Status{.http_code = code, .reason = std::string(reason), .message = std::move(message)};
}

}  // namespace

std::string quoted(std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          out += "\\x";
          out += hex[byte >> 4U];
          out += hex[byte & 15U];
        } else {
          out += c;
        }
    }
  }
  out += '"';
  return out;
}

std::string FieldError::body() const {
  const FieldErrorWords& words = words_of(type);
  std::string text(words.text);
  if (words.shows_value && value) {
    text += ": ";
    text += value->is_string() ? quoted({value->get_string().data(), value->get_string().size()})
                               : json::serialize(*value);
  }
  if (!detail.empty()) text += ": " + detail;
  return text;
}

FieldError required(std::string field, std::string detail) {
  return {FieldErrorType::required, std::move(field), std::nullopt, std::move(detail)};
}

FieldError invalid(std::string field, json::Value value, std::string detail) {
  return {FieldErrorType::invalid, std::move(field), std::move(value), std::move(detail)};
}

FieldError type_invalid(std::string field, json::Value value, std::string detail) {
  return {FieldErrorType::type_invalid, std::move(field), std::move(value), std::move(detail)};
}

FieldError not_supported(std::string field, json::Value value,
                         const std::vector<std::string_view>& supported) {
  std::string detail;
  for (const std::string_view choice : supported) {
    detail += detail.empty() ? "supported values: " : ", ";
    detail += quoted(choice);
  }
  return {FieldErrorType::not_supported, std::move(field), std::move(value), std::move(detail)};
}

FieldError duplicate(std::string field, json::Value value) {
  return {FieldErrorType::duplicate, std::move(field), std::move(value), {}};
}

FieldError forbidden(std::string field, std::string detail) {
  return {FieldErrorType::forbidden, std::move(field), std::nullopt, std::move(detail)};
}

FieldError too_long(std::string field, std::size_t bytes_max) {
  return {FieldErrorType::too_long, std::move(field), std::nullopt,
          "may not be more than " + std::to_string(bytes_max) + " bytes"};
}

FieldError too_many(std::string field, std::size_t count, std::size_t count_max) {
  return {FieldErrorType::too_many, std::move(field), json::Value(count),
          "must have at most " + std::to_string(count_max) + " items"};
}

FieldError not_found_value(std::string field, json::Value value) {
  return {FieldErrorType::not_found, std::move(field), std::move(value), {}};
}

bool StatusDetails::is_empty() const {
  return name.empty() && group.empty() && kind.empty() && uid.empty() && causes.empty() &&
         retry_after_seconds == 0;
}

json::Value Status::to_json() const {
  json::Object out;
  out["kind"] = "Status";
  out["apiVersion"] = "v1";
  json::Object& metadata = out["metadata"].emplace_object();
  if (!continue_token.empty()) metadata["continue"] = continue_token;
  out["status"] = is_success() ? "Success" : "Failure";
  if (!message.empty()) out["message"] = message;
  if (!reason.empty()) out["reason"] = reason;
  if (!details.is_empty()) {
    json::Object& about = out["details"].emplace_object();
    if (!details.name.empty()) about["name"] = details.name;
    if (!details.group.empty()) about["group"] = details.group;
    if (!details.kind.empty()) about["kind"] = details.kind;
    if (!details.uid.empty()) about["uid"] = details.uid;
    if (!details.causes.empty()) {
      json::Array& causes = about["causes"].emplace_array();
      for (const StatusCause& cause : details.causes) {
        json::Object entry;
        if (!cause.reason.empty()) entry["reason"] = cause.reason;
        if (!cause.message.empty()) entry["message"] = cause.message;
        if (!cause.field.empty()) entry["field"] = cause.field;
        causes.emplace_back(std::move(entry));
      }
    }
    if (details.retry_after_seconds != 0) about["retryAfterSeconds"] = details.retry_after_seconds;
  }
  // Clients expect no code beside an ordinary success.
  if (http_code != 200) out["code"] = http_code;
  return out;
}

Status Status::from_json(const json::Value& value) {
  if (json::string_at(value, {"kind"}) != "Status") {
    return internal_status("expected a Status");
  }
  const bool succeeded = json::string_at(value, {"status"}) == "Success";
  Status status;
  status.http_code = static_cast<int>(
      std::clamp<std::int64_t>(json::int_at(value, {"code"}, succeeded ? 200 : 500), 100, 599));
  status.reason = json::string_at(value, {"reason"});
  status.message = json::string_at(value, {"message"});
  status.details.name = json::string_at(value, {"details", "name"});
  status.details.group = json::string_at(value, {"details", "group"});
  status.details.kind = json::string_at(value, {"details", "kind"});
  status.details.uid = json::string_at(value, {"details", "uid"});
  status.details.retry_after_seconds = json::int_at(value, {"details", "retryAfterSeconds"}, 0);
  for (const json::Value& cause : json::array_at(value, {"details", "causes"})) {
    status.details.causes.push_back({std::string(json::string_at(cause, {"reason"})),
                                     std::string(json::string_at(cause, {"message"})),
                                     std::string(json::string_at(cause, {"field"}))});
  }
  return status;
}

base::Error Status::to_error() const {
  using base::Code;
  static constexpr std::array<std::pair<std::string_view, Code>, 15> codes{{
      {"NotFound", Code::not_found},
      {"AlreadyExists", Code::already_exists},
      {"Conflict", Code::conflict},
      {"Invalid", Code::invalid},
      {"BadRequest", Code::invalid},
      {"Unauthorized", Code::unauthorized},
      {"Forbidden", Code::forbidden},
      {"Expired", Code::expired},
      {"Gone", Code::expired},
      {"RequestEntityTooLarge", Code::too_large},
      {"ServiceUnavailable", Code::unavailable},
      {"TooManyRequests", Code::unavailable},
      {"ServerTimeout", Code::timeout},
      {"Timeout", Code::timeout},
      {"MethodNotAllowed", Code::unsupported},
  }};
  for (const auto& [name, code] : codes) {
    if (reason == name) return {code, message};
  }
  return {Code::internal, message};
}

Status success_status(const ResourceName& about, std::string_view uid) {
  Status status{.http_code = 200, .reason = {}, .message = {}, .details = details_of(about)};
  status.details.uid = uid;
  return status;
}

Status not_found_status(const ResourceName& about) {
  return {404, "NotFound", subject(about) + " not found", details_of(about)};
}

Status no_such_path_status() {
  return plain(404, "NotFound", "the server could not find the requested resource");
}

Status already_exists_status(const ResourceName& about) {
  return {409, "AlreadyExists", subject(about) + " already exists", details_of(about)};
}

Status generate_name_conflict_status(const ResourceName& about) {
  Status status{409, "AlreadyExists",
                subject(about) +
                    " already exists, the server was not able to generate a unique "
                    "name for the object",
                details_of(about)};
  status.details.retry_after_seconds = 1;
  return status;
}

Status conflict_status(const ResourceName& about, std::string_view why) {
  return {409, "Conflict",
          "Operation cannot be fulfilled on " + subject(about) + ": " + std::string(why),
          details_of(about)};
}

Status modified_status(const ResourceName& about) {
  return conflict_status(about,
                         "the object has been modified; please apply your changes to the latest "
                         "version and try again");
}

Status invalid_status(std::string_view group, std::string_view kind, std::string_view name,
                      const FieldErrors& errors) {
  Status status{422, "Invalid", qualified(kind, group) + " " + quoted(name) + " is invalid", {}};
  status.details.name = name;
  status.details.group = group;
  status.details.kind = kind;
  std::unordered_set<std::string> seen;
  std::string list;
  for (const FieldError& error : errors) {
    status.details.causes.push_back(
        {std::string(words_of(error.type).reason), error.body(), error.field});
    std::string message = error.message();
    if (!seen.insert(message).second) continue;
    if (!list.empty()) list += ", ";
    list += message;
  }
  if (!list.empty()) status.message += seen.size() > 1 ? ": [" + list + "]" : ": " + list;
  return status;
}

Status forbidden_status(const ResourceName& about, std::string_view why) {
  std::string message;
  if (about.resource.empty()) {
    message = "forbidden: ";
  } else if (about.name.empty()) {
    message = qualified(about.resource, about.group) + " is forbidden: ";
  } else {
    message = subject(about) + " is forbidden: ";
  }
  return {403, "Forbidden", message + std::string(why), details_of(about)};
}

Status access_denied_status(const AccessDenied& denied) {
  std::string why = "User " + quoted(denied.user) + " cannot " + std::string(denied.verb);
  if (!denied.path.empty()) {
    why += " path " + quoted(denied.path);
  } else {
    std::string resource(denied.resource);
    if (!denied.subresource.empty()) resource.append("/").append(denied.subresource);
    why += " resource " + quoted(resource) + " in API group " + quoted(denied.group);
    why += denied.name_space.empty() ? " at the cluster scope"
                                     : " in the namespace " + quoted(denied.name_space);
  }
  if (!denied.reason.empty()) why.append(": ").append(denied.reason);
  const ResourceName about{denied.group, denied.path.empty() ? denied.resource : "", denied.name};
  return forbidden_status(about, why);
}

Status unauthorized_status() { return plain(401, "Unauthorized", "Unauthorized"); }

Status bad_request_status(std::string_view message) {
  return plain(400, "BadRequest", std::string(message));
}

Status method_not_supported_status(const ResourceName& about, std::string_view action) {
  StatusDetails details;
  details.group = about.group;
  details.kind = about.resource;
  return {405, "MethodNotAllowed",
          std::string(action) + " is not supported on resources of kind " +
              quoted(qualified(about.resource, about.group)),
          std::move(details)};
}

Status method_not_allowed_status() {
  return plain(405, "MethodNotAllowed",
               "the server does not allow this method on the requested resource");
}

Status not_acceptable_status(std::string_view accepted_media_types) {
  return plain(406, "NotAcceptable",
               "only the following media types are accepted: " + std::string(accepted_media_types));
}

Status unsupported_media_type_status(std::string_view accepted_media_types) {
  return plain(415, "UnsupportedMediaType",
               "the body of the request was in an unknown format - accepted media types include: " +
                   std::string(accepted_media_types));
}

Status too_large_status(std::size_t bytes_max) {
  return plain(413, "RequestEntityTooLarge",
               "Request entity is too large: limit is " + std::to_string(bytes_max));
}

Status expired_status(std::string_view message) {
  return plain(410, "Expired", std::string(message));
}

Status too_old_revision_status(std::int64_t requested, std::int64_t oldest) {
  return expired_status("too old resource version: " + std::to_string(requested) + " (" +
                        std::to_string(oldest) + ")");
}

Status continue_expired_status() {
  return expired_status(
      "The provided continue parameter is too old to display a consistent list result. You can "
      "start a new list without the continue parameter, or use the continue token in this "
      "response to retrieve the remainder of the results. Continuing with the provided token "
      "results in an inconsistent list - objects that were created, modified, or deleted between "
      "the time the first chunk was returned and now may show up in the list.");
}

Status too_large_revision_status(std::int64_t requested, std::int64_t current) {
  Status status = timeout_status("Too large resource version: " + std::to_string(requested) +
                                     ", current: " + std::to_string(current),
                                 1);
  status.details.causes.push_back(
      {"ResourceVersionTooLarge", "Too large resource version", std::string()});
  return status;
}

Status gone_status(std::string_view message) { return plain(410, "Gone", std::string(message)); }

Status timeout_status(std::string_view message, std::int64_t retry_after_seconds) {
  Status status = plain(504, "Timeout", "Timeout: " + std::string(message));
  status.details.retry_after_seconds = retry_after_seconds;
  return status;
}

Status server_timeout_status(const ResourceName& about, std::string_view action,
                             std::int64_t retry_after_seconds) {
  Status status{500, "ServerTimeout",
                "The " + std::string(action) + " operation against " +
                    qualified(about.resource, about.group) +
                    " could not be completed at this time, please try again.",
                details_of(about)};
  status.details.name = action;
  status.details.retry_after_seconds = retry_after_seconds;
  return status;
}

Status too_many_requests_status(std::string_view message, std::int64_t retry_after_seconds) {
  Status status = plain(429, "TooManyRequests", std::string(message));
  status.details.retry_after_seconds = retry_after_seconds;
  return status;
}

Status unavailable_status(std::string_view message) {
  return plain(503, "ServiceUnavailable", std::string(message));
}

Status internal_status(std::string_view message) {
  Status status = plain(500, "InternalError", "Internal error occurred: " + std::string(message));
  status.details.causes.push_back({std::string(), std::string(message), std::string()});
  return status;
}

Status not_implemented_status(std::string_view message) {
  return plain(501, "NotImplemented", std::string(message));
}

Status status_from(const base::Error& error, const ResourceName& about) {
  using base::Code;
  switch (error.code) {
    case Code::invalid:
      return bad_request_status(error.message);
    case Code::not_found:
      return not_found_status(about);
    case Code::already_exists:
      return already_exists_status(about);
    case Code::conflict:
      return modified_status(about);
    case Code::unauthorized:
      return unauthorized_status();
    case Code::forbidden:
      return forbidden_status(about, error.message);
    case Code::expired:
      return expired_status(error.message);
    case Code::too_large:
      return plain(413, "RequestEntityTooLarge", "Request entity is too large: " + error.message);
    case Code::unavailable:
      return unavailable_status(error.message);
    case Code::timeout:
    case Code::cancelled:
      return timeout_status(error.message, 0);
    case Code::unsupported:
      return not_implemented_status(error.message);
    case Code::internal:
    case Code::corrupt:
      break;
  }
  return internal_status(error.message);
}

}  // namespace koi::api
