#include "apiserver/pod_log.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

// The one container that is meant.
StatusOr<std::string> container_of(const json::Value& pod, std::string_view asked) {
  std::string names;
  std::string init_names;
  std::size_t count = 0;
  std::string first;
  bool is_known = false;
  for (const std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const json::Value& container : json::array_at(pod, {"spec", list})) {
      const std::string_view name = json::string_at(container, {"name"});
      if (name == asked) is_known = true;
      if (list == "containers") {
        ++count;
        if (first.empty()) first = name;
        names.append(names.empty() ? "" : " ").append(name);
      } else if (list == "initContainers") {
        init_names.append(init_names.empty() ? "" : " ").append(name);
      }
    }
  }
  const std::string pod_name(json::string_at(pod, {"metadata", "name"}));
  if (!asked.empty()) {
    if (is_known) return std::string(asked);
    return std::unexpected(api::bad_request_status("container " + std::string(asked) +
                                                   " is not valid for pod " + pod_name));
  }
  if (count == 1) return first;
  std::string message =
      "a container name must be specified for pod " + pod_name + ", choose one of: [" + names + "]";
  if (!init_names.empty()) message += " or one of the init containers: [" + init_names + "]";
  return std::unexpected(api::bad_request_status(message));
}

}  // namespace

base::Task<StatusOr<http::Response>> serve_pod_log(const ApiService& service,
                                                   const Exchange& exchange, const Call& call,
                                                   NodeConnection* nodes) {
  auto pod = service.get(call);
  if (!pod) co_return std::unexpected(pod.error());
  const json::Value& value = (*pod)->value();
  const auto container = container_of(value, exchange.parameter("container"));
  if (!container) co_return std::unexpected(container.error());
  const std::string node(json::string_at(value, {"spec", "nodeName"}));
  if (node.empty()) {
    co_return std::unexpected(
        api::bad_request_status("pod " + call.name + " does not have a host assigned"));
  }
  if (nodes == nullptr) {
    co_return std::unexpected(api::unavailable_status("no way to node " + node));
  }
  http::Request request;
  request.method = http::Method::get;
  request.target = "/containerLogs/" + http::percent_encode(call.name_space) + "/" +
                   http::percent_encode(call.name) + "/" + http::percent_encode(*container);
  http::Query query;
  for (const char* name : {"follow", "previous", "sinceSeconds", "sinceTime", "timestamps",
                           "tailLines", "limitBytes", "stream"}) {
    const std::string_view given = exchange.parameter(name);
    if (!given.empty()) query.add(name, given);
  }
  if (!query.parameters().empty()) request.target += "?" + query.to_string();
  auto response = co_await nodes->proxy(node, std::move(request));
  if (!response) {
    co_return std::unexpected(
        api::internal_status("get logs from node " + node + ": " + response.error().message));
  }
  if (!response->headers.contains("Content-Type"))
    response->headers.set("Content-Type", "text/plain");
  co_return std::move(*response);
}

}  // namespace koi::apiserver
