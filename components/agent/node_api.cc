#include "agent/node_api.h"

#include <charconv>

#include "agent/log_reader.h"
#include "api/status.h"
#include "http/url.h"

namespace koi::agent {

namespace {

using base::Code;
using base::Result;

Result<std::optional<std::uint64_t>> number(const http::Query& query, std::string_view name) {
  const auto text = query.find(name);
  if (!text) return std::optional<std::uint64_t>();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size()) {
    return base::fail(Code::invalid,
                      "invalid value for " + std::string(name) + ": '" + std::string(*text) + "'");
  }
  return std::optional(value);
}

bool flag(const http::Query& query, std::string_view name) {
  const auto text = query.find(name);
  return text && (*text == "true" || *text == "1" || text->empty());
}

Result<LogOptions> log_options(const http::Query& query, base::WallTime now) {
  LogOptions options;
  options.follow = flag(query, "follow");
  options.timestamps = flag(query, "timestamps");
  options.stream = query.get("stream");
  auto tail = number(query, "tailLines");
  if (!tail) return base::fail(std::move(tail).error());
  options.tail_lines = *tail;
  auto limit = number(query, "limitBytes");
  if (!limit) return base::fail(std::move(limit).error());
  options.bytes_max = *limit;
  auto seconds = number(query, "sinceSeconds");
  if (!seconds) return base::fail(std::move(seconds).error());
  constexpr std::uint64_t seconds_max = std::uint64_t{1} << 32;
  if (*seconds) {
    const auto ago = static_cast<std::int64_t>(std::min(**seconds, seconds_max));
    options.since = now - std::chrono::seconds{ago};
  }
  if (const auto text = query.find("sinceTime")) {
    auto time = base::parse_time(*text);
    if (!time) return base::fail(std::move(time).error());
    options.since = *time;
  }
  return options;
}

// As the API server passes it on to the client.
http::Response refusal(const base::Error& error) {
  api::Status status = api::internal_status(error.message);
  if (error.code == Code::invalid) status = api::bad_request_status(error.message);
  if (error.code == Code::unavailable) status = api::unavailable_status(error.message);
  if (error.code == Code::not_found) {
    status.http_code = 404;
    status.reason = "NotFound";
    status.message = error.message;
  }
  return http::Response::text(status.http_code, json::serialize(status.to_json()),
                              "application/json");
}

}  // namespace

NodeApi::NodeApi(Agent& agent, base::Clock& clock, base::BlockingPool& pool,
                 base::Executor executor)
    : agent_(agent), clock_(clock), pool_(pool), executor_(std::move(executor)) {}

base::Task<http::Response> NodeApi::handle(http::Request& request) {
  const bool reads = request.method == http::Method::get || request.method == http::Method::head;
  if (!reads) co_return http::Response::text(405, "method not allowed");
  const auto path = http::split_path(request.path());
  if (!path || path->empty()) co_return http::Response::text(404, "not found");
  if (path->front() == "healthz" && path->size() == 1) {
    co_return http::Response::text(200, "ok");
  }
  if (path->front() == "pods" && path->size() == 1) co_return list_pods();
  if (path->front() == "containerLogs" && path->size() == 4) {
    co_return container_logs(request, *path);
  }
  co_return http::Response::text(404, "not found");
}

http::Response NodeApi::list_pods() const {
  json::Array items;
  for (auto& pod : agent_.pods()) items.push_back(std::move(pod));
  json::Value list = json::Object{{"kind", "PodList"}, {"apiVersion", "v1"}};
  json::set(list, {"metadata"}, json::Object{});
  json::set(list, {"items"}, std::move(items));
  return http::Response::text(200, json::serialize(list), "application/json");
}

http::Response NodeApi::container_logs(const http::Request& request,
                                       const std::vector<std::string>& path) {
  const auto query = http::Query::parse(request.query());
  if (!query) return refusal(query.error());
  auto options = log_options(*query, clock_.wall_now());
  if (!options) return refusal(options.error());
  LogRequest log;
  log.name_space = path[1];
  log.pod = path[2];
  log.container = path[3];
  log.previous = flag(*query, "previous");
  log.options = std::move(*options);
  auto stream = read_log(agent_, pool_, executor_, log);
  if (!stream) return refusal(stream.error());
  http::Response response;
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(*stream);
  return response;
}

}  // namespace koi::agent
