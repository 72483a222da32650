#include "client/api_path.h"

#include "client/object_key.h"
#include "http/url.h"

namespace koi::client {

namespace {

void add_some(http::Query& query, std::string_view name, const std::string& value) {
  if (!value.empty()) query.add(name, value);
}

std::string with_mark(const http::Query& query) {
  const auto text = query.to_string();
  return text.empty() ? text : "?" + text;
}

}  // namespace

std::string path_of(const ObjectRef& ref) {
  const auto& resource = ref.resource;
  std::string path = resource.group.empty() ? "/api/" : "/apis/" + resource.group + "/";
  path += resource.version;
  if (!ref.name_space.empty()) path += "/namespaces/" + http::percent_encode(ref.name_space);
  path += "/" + resource.plural;
  if (!ref.name.empty()) path += "/" + http::percent_encode(ref.name);
  if (!ref.subresource.empty()) path += "/" + ref.subresource;
  return path;
}

std::string query_of(const ListOptions& options) {
  http::Query query;
  add_some(query, "labelSelector", options.label_selector);
  add_some(query, "fieldSelector", options.field_selector);
  add_some(query, "resourceVersion", options.resource_version);
  if (options.limit > 0) query.add("limit", std::to_string(options.limit));
  add_some(query, "continue", options.continue_token);
  return with_mark(query);
}

std::string query_of(const WatchOptions& options) {
  http::Query query;
  query.add("watch", "true");
  query.add("allowWatchBookmarks", "true");
  add_some(query, "labelSelector", options.label_selector);
  add_some(query, "fieldSelector", options.field_selector);
  add_some(query, "resourceVersion", options.resource_version);
  return with_mark(query);
}

json::Value body_of(const DeleteOptions& options) {
  json::Value body = json::Object{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (options.grace_period_seconds) {
    json::set(body, {"gracePeriodSeconds"}, *options.grace_period_seconds);
  }
  if (!options.propagation_policy.empty()) {
    json::set(body, {"propagationPolicy"}, text(options.propagation_policy));
  }
  if (!options.precondition_uid.empty()) {
    json::set(body, {"preconditions", "uid"}, text(options.precondition_uid));
  }
  if (!options.precondition_resource_version.empty()) {
    json::set(body, {"preconditions", "resourceVersion"},
              text(options.precondition_resource_version));
  }
  return body;
}

}  // namespace koi::client
