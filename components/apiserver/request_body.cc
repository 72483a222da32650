#include "apiserver/request_body.h"

#include <algorithm>
#include <charconv>

#include "api/protobuf.h"
#include "apiserver/delete_options.h"
#include "base/limits.h"
#include "json/parse_strict.h"
#include "json/yaml.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

StatusOr<std::int64_t> int_parameter(const Exchange& exchange, std::string_view name) {
  const std::string_view text = exchange.parameter(name);
  std::int64_t value = 0;
  if (text.empty()) return value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::unexpected(api::bad_request_status("query parameter " + std::string(name) + ": '" +
                                                   std::string(text) + "' is no number"));
  }
  return value;
}

StatusOr<RevisionMatch> match_parameter(const Exchange& exchange) {
  const std::string_view text = exchange.parameter("resourceVersionMatch");
  if (text.empty()) return RevisionMatch::unset;
  if (text == "Exact") return RevisionMatch::exact;
  if (text == "NotOlderThan") return RevisionMatch::not_older_than;
  api::FieldErrors errors;
  errors.push_back(
      api::not_supported("resourceVersionMatch", json::Value(text), {"Exact", "NotOlderThan", ""}));
  return std::unexpected(api::invalid_status("meta.k8s.io", "ListOptions", "", errors));
}

StatusOr<void> set_dry_run(Call& call, std::string_view text) {
  if (text.empty()) return {};
  if (text == "All") {
    call.dry_run = true;
    return {};
  }
  api::FieldErrors errors;
  errors.push_back(api::not_supported("dryRun", json::Value(text), {"All"}));
  return std::unexpected(api::invalid_status("meta.k8s.io", "CreateOptions", "", errors));
}

// An object that names another namespace by mistake is caught; one in protobuf has its kind.
StatusOr<json::Value> from_json(const Exchange& exchange, Call& call) {
  auto parsed = json::parse_strict(exchange.request.body);
  if (!parsed) {
    return std::unexpected(api::bad_request_status("couldn't get version/kind; json parse error: " +
                                                   parsed.error().message));
  }
  call.duplicate_fields = std::move(parsed->duplicates);
  return std::move(parsed->value);
}

}  // namespace

StatusOr<json::Value> read_body_value(const Exchange& exchange, const api::Schema& schema,
                                      Call& call) {
  if (exchange.request.body.size() > base::limits::request_body_bytes_max) {
    return std::unexpected(api::too_large_status(base::limits::request_body_bytes_max));
  }
  const auto format = format_of(exchange.request.headers.get("Content-Type"));
  if (!format) {
    return std::unexpected(api::unsupported_media_type_status(served_media_types));
  }
  if (*format == Format::json) return from_json(exchange, call);
  auto value = *format == Format::yaml ? json::parse_yaml(exchange.request.body)
                                       : api::decode_protobuf(exchange.request.body, schema);
  if (!value) return std::unexpected(api::bad_request_status(value.error().message));
  return std::move(*value);
}

StatusOr<PatchKind> patch_kind(const Exchange& exchange) {
  std::string_view type = exchange.request.headers.get("Content-Type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (type == "application/json-patch+json") return PatchKind::json;
  if (type == "application/merge-patch+json") return PatchKind::merge;
  if (type == "application/strategic-merge-patch+json") return PatchKind::strategic_merge;
  return std::unexpected(
      api::unsupported_media_type_status("application/json-patch+json, application/merge-patch+"
                                         "json, application/strategic-merge-patch+json"));
}

StatusOr<json::Value> read_patch(const Exchange& exchange, Call& call) {
  if (exchange.request.body.size() > base::limits::request_body_bytes_max) {
    return std::unexpected(api::too_large_status(base::limits::request_body_bytes_max));
  }
  auto parsed = json::parse_strict(exchange.request.body);
  if (!parsed) {
    return std::unexpected(
        api::bad_request_status("error decoding patch: " + parsed.error().message));
  }
  call.duplicate_fields = std::move(parsed->duplicates);
  return std::move(parsed->value);
}

StatusOr<DeleteQuery> read_delete_query(const Exchange& exchange, const api::Schema& schema,
                                        Call& call) {
  DeleteQuery query;
  if (!exchange.request.body.empty()) {
    auto body = read_body_value(exchange, schema, call);
    if (!body) return std::unexpected(body.error());
    for (const json::Value& item : json::array_at(*body, {"dryRun"})) {
      const auto* text = item.if_string();
      auto set = set_dry_run(call, text != nullptr ? std::string_view(text->data(), text->size())
                                                   : std::string_view());
      if (!set) return std::unexpected(set.error());
    }
    auto options = delete_query_from(*body, "");
    if (!options) return options;
    query = std::move(*options);
  }
  const auto grace = int_parameter(exchange, "gracePeriodSeconds");
  if (!grace) return std::unexpected(grace.error());
  if (!exchange.parameter("gracePeriodSeconds").empty()) query.grace_period_seconds = *grace;
  if (const auto policy = exchange.parameter("propagationPolicy"); !policy.empty()) {
    query.propagation_policy = policy;
  } else if (const auto orphan = exchange.parameter("orphanDependents"); !orphan.empty()) {
    query.propagation_policy = orphan == "true" ? "Orphan" : "Background";
  }
  if (auto checked = check_propagation(query); !checked) return std::unexpected(checked.error());
  return query;
}

StatusOr<ListQuery> read_list_query(const Exchange& exchange) {
  ListQuery query;
  query.label_selector = exchange.parameter("labelSelector");
  query.field_selector = exchange.parameter("fieldSelector");
  query.resource_version = exchange.parameter("resourceVersion");
  query.continue_token = exchange.parameter("continue");
  const auto limit = int_parameter(exchange, "limit");
  if (!limit) return std::unexpected(limit.error());
  query.limit = *limit;
  const auto match = match_parameter(exchange);
  if (!match) return std::unexpected(match.error());
  query.match = *match;
  return query;
}

StatusOr<WatchQuery> read_watch_query(const Exchange& exchange) {
  WatchQuery query;
  query.label_selector = exchange.parameter("labelSelector");
  query.field_selector = exchange.parameter("fieldSelector");
  query.resource_version = exchange.parameter("resourceVersion");
  query.allow_bookmarks = exchange.flag("allowWatchBookmarks");
  if (!exchange.parameter("sendInitialEvents").empty()) {
    query.send_initial_events = exchange.flag("sendInitialEvents");
  }
  const auto timeout = int_parameter(exchange, "timeoutSeconds");
  if (!timeout) return std::unexpected(timeout.error());
  query.timeout_seconds = *timeout;
  const auto match = match_parameter(exchange);
  if (!match) return std::unexpected(match.error());
  query.match = *match;
  return query;
}

StatusOr<void> read_write_options(const Exchange& exchange, Call& call) {
  call.field_manager = exchange.parameter("fieldManager");
  const std::string_view validation = exchange.parameter("fieldValidation");
  if (validation == "Strict") {
    call.field_validation = api::FieldValidation::strict;
  } else if (validation == "Ignore") {
    call.field_validation = api::FieldValidation::ignore;
  } else if (!validation.empty() && validation != "Warn") {
    api::FieldErrors errors;
    errors.push_back(api::not_supported("fieldValidation", json::Value(validation),
                                        {"", "Ignore", "Strict", "Warn"}));
    return std::unexpected(api::invalid_status("meta.k8s.io", "CreateOptions", "", errors));
  }
  return set_dry_run(call, exchange.parameter("dryRun"));
}

}  // namespace koi::apiserver
