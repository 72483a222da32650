#include "apiserver/http_handler.h"

#include <algorithm>

#include "apiserver/impersonation.h"
#include "base/limits.h"
#include "base/log.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

http::Response json_response(std::string text) {
  http::Response response;
  response.headers.set("Content-Type", "application/json");
  response.body = std::move(text);
  return response;
}

// RFC 7234's warning text: quotes and backslashes escaped, control characters gone.
std::string warning_value(std::string_view text) {
  std::string out = "299 - \"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
  return out + "\"";
}

}  // namespace

base::Task<http::Response> HttpHandler::handle(http::Request& request) {
  Exchange exchange{.request = request};
  http::Response response = co_await answer(exchange);
  const std::string_view given = request.headers.get("Audit-ID");
  response.headers.set(
      "Audit-Id", given.empty() || given.size() > 64 ? doors_.random.uuid() : std::string(given));
  if (!response.headers.contains("Cache-Control")) {
    response.headers.set("Cache-Control", "no-cache, private");
  }
  for (const std::string& warning : exchange.warnings) {
    response.headers.add("Warning", warning_value(warning));
  }
  co_return response;
}

StatusOr<auth::Identity> HttpHandler::identify(const http::Request& request) const {
  auth::Credentials credentials;
  if (request.peer->identity) {
    credentials.common_name = request.peer->identity->common_name;
    credentials.organizations = request.peer->identity->organizations;
  }
  credentials.certificate_error = request.peer->certificate_error;
  credentials.authorization = request.headers.get("Authorization");
  auto user = doors_.service.authenticator().authenticate(credentials);
  if (!user) {
    base::log::debug("auth.refused",
                     {{"peer", request.peer->address}, {"reason", user.error().message}});
    return std::unexpected(api::unauthorized_status());
  }
  return impersonated(doors_.service, *user, request.headers);
}

http::Response HttpHandler::refuse(int status, std::string_view why) {
  api::Status answer = api::bad_request_status(why);
  if (status == 413) answer = api::too_large_status(base::limits::request_body_bytes_max);
  if (status >= 500) answer = api::internal_status(why);
  answer.http_code = status;
  return render_status({}, answer);
}

base::Task<http::Response> HttpHandler::answer(Exchange& exchange) {
  http::Request& request = exchange.request;
  auto steps = http::split_path(request.path());
  auto query = http::Query::parse(request.query());
  if (!steps || !query) {
    co_return render_status({}, api::bad_request_status("the path or query is malformed"));
  }
  exchange.query = std::move(*query);
  // Load balancers and supervisors know no secrets.
  if (auto health = doors_.health.serve(exchange, *steps)) co_return std::move(*health);
  auto user = identify(request);
  if (!user) co_return render_status({}, user.error());
  exchange.user = std::move(*user);
  exchange.target = parse_target(std::string(request.path()), *steps);
  if (!exchange.target.is_resource) co_return other(exchange, *steps);
  const auto rendering = negotiate(request.headers.get("Accept"));
  if (!rendering) {
    co_return render_status({}, api::not_acceptable_status(served_media_types));
  }
  exchange.rendering = *rendering;
  exchange.rendering.is_pretty = exchange.flag("pretty") && !exchange.parameter("pretty").empty();
  if (const auto include = exchange.parameter("includeObject"); !include.empty()) {
    exchange.rendering.include_object = include;
  }
  co_return co_await resources_.serve(exchange);
}

std::unique_ptr<http::Response> HttpHandler::openid(const std::vector<std::string>& steps) const {
  if (!doors_.tokens) return nullptr;
  std::string path;
  for (const std::string& step : steps) path += "/" + step;
  const std::string& issuer = doors_.tokens->options().issuer;
  if (path == "/.well-known/openid-configuration") {
    json::Object out;
    out["issuer"] = issuer;
    out["jwks_uri"] = issuer + "/openid/v1/jwks";
    out["response_types_supported"] = json::Array{"id_token"};
    out["subject_types_supported"] = json::Array{"public"};
    out["id_token_signing_alg_values_supported"] = json::Array{"ES256"};
    return std::make_unique<http::Response>(json_response(json::serialize(out)));
  }
  if (path == "/openid/v1/jwks") {
    auto key = doors_.tokens->public_jwk();
    if (!key) return nullptr;
    auto response = json_response(R"({"keys":[)" + *key + "]}");
    response.headers.set("Content-Type", "application/jwk-set+json");
    return std::make_unique<http::Response>(std::move(response));
  }
  return nullptr;
}

http::Response HttpHandler::other(Exchange& exchange, const std::vector<std::string>& steps) {
  const std::string verb = verb_of(exchange.target, exchange.request, false);
  auto allowed = doors_.service.authorize(exchange.user, exchange.target.access(verb));
  if (!allowed) return render_status({}, allowed.error());
  if (exchange.request.method != http::Method::get &&
      exchange.request.method != http::Method::head) {
    return render_status({}, api::method_not_allowed_status());
  }
  if (steps.size() == 1 && steps[0] == "version") return json_response(version_document());
  if (auto document = doors_.discovery.serve(exchange, steps)) return std::move(*document);
  if (auto document = openid(steps)) return std::move(*document);
  if (steps.empty()) {
    return json_response(
        R"({"paths":["/api","/api/v1","/apis","/healthz","/livez","/openapi/v2","/openapi/v3",)"
        R"("/openid/v1/jwks","/readyz","/version"]})");
  }
  return render_status({}, api::no_such_path_status());
}

}  // namespace koi::apiserver
