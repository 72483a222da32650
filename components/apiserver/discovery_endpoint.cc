#include "apiserver/discovery_endpoint.h"

#include "api/discovery.h"
#include "api/openapi.h"
#include "crypto/digest.h"

namespace koi::apiserver {

namespace {

// Which form of discovery the client takes: "v2", "v2beta1", or the plain lists. Nothing: none.
std::optional<std::string> aggregated_version(std::string_view accept) {
  for (const MediaRange& range : parse_accept(accept)) {
    const bool is_json =
        range.type == "application/json" || range.type == "*/*" || range.type == "application/*" ||
        range.type == "application/vnd.kubernetes.protobuf" || range.type == "application/yaml";
    if (!is_json) continue;
    if (range.parameter("as") == "APIGroupDiscoveryList" && range.type == "application/json" &&
        range.parameter("g") == "apidiscovery.k8s.io") {
      const std::string version(range.parameter("v"));
      if (version == "v2" || version == "v2beta1") return version;
      continue;
    }
    if (range.parameter("as").empty()) return std::string();
  }
  return std::nullopt;
}

bool wants_protobuf_openapi(std::string_view accept) {
  for (const MediaRange& range : parse_accept(accept)) {
    if (range.type == api::openapi_v2_protobuf_media_type ||
        range.type == api::openapi_v2_protobuf_accepted) {
      return true;
    }
    if (range.type == "application/json" || range.type == "*/*") return false;
  }
  return false;
}

std::string collect(const std::function<void(const api::TextSink&)>& write) {
  std::string out;
  write([&out](std::string_view piece) { out.append(piece); });
  return out;
}

}  // namespace

std::string version_document() {
  json::Object out;
  out["major"] = "1";
  out["minor"] = "36";
  out["emulationMajor"] = "1";
  out["emulationMinor"] = "36";
  out["minCompatibilityMajor"] = "1";
  out["minCompatibilityMinor"] = "35";
  out["gitVersion"] = git_version;
  out["gitCommit"] = "";
  out["gitTreeState"] = "clean";
  out["buildDate"] = "1970-01-01T00:00:00Z";
  out["goVersion"] = "";
  out["compiler"] = "clang";
  out["platform"] = "linux/amd64";
  return json::serialize(out);
}

DiscoveryEndpoint::DiscoveryEndpoint(const api::Schema& schema, std::string server_address)
    : schema_(schema), server_address_(std::move(server_address)) {}

DiscoveryEndpoint::DocumentPtr DiscoveryEndpoint::cached(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = documents_.find(name);
  return found == documents_.end() ? nullptr : found->second;
}

DiscoveryEndpoint::DocumentPtr DiscoveryEndpoint::keep(const std::string& name, std::string type,
                                                       std::string text) {
  auto document = std::make_shared<Document>();
  document->type = std::move(type);
  document->etag = "\"" + crypto::sha256_hex(text) + "\"";
  document->text = std::make_shared<const std::string>(std::move(text));
  const std::lock_guard lock(mutex_);
  return documents_[name] = std::move(document);
}

DiscoveryEndpoint::DocumentPtr DiscoveryEndpoint::discovery(const Exchange& exchange,
                                                            const std::vector<std::string>& steps) {
  const bool is_core = steps[0] == "api";
  const auto aggregated = aggregated_version(exchange.request.headers.get("Accept"));
  if (!aggregated) return nullptr;
  const std::string form = steps.size() == 1 ? *aggregated : std::string();
  std::string name = form;
  for (const std::string& step : steps) name += "/" + step;
  if (auto known = cached(name)) return known;
  if (!form.empty()) {
    const auto root = is_core ? api::DiscoveryRoot::core : api::DiscoveryRoot::groups;
    return keep(name, std::string(api::discovery_media_type(form)),
                json::serialize(api::discover_all(schema_, root, form)));
  }
  std::optional<json::Value> value;
  if (is_core && steps.size() == 1) value = api::discover_core_versions(server_address_);
  if (is_core && steps.size() == 2) value = api::discover_resources(schema_, "", steps[1]);
  if (!is_core && steps.size() == 1) value = api::discover_groups(schema_);
  if (!is_core && steps.size() == 2) value = api::discover_group(schema_, steps[1]);
  if (!is_core && steps.size() == 3) {
    value = api::discover_resources(schema_, steps[1], steps[2]);
  }
  if (!value) return nullptr;
  return keep(name, "application/json", json::serialize(*value));
}

DiscoveryEndpoint::DocumentPtr DiscoveryEndpoint::openapi(const Exchange& exchange,
                                                          const std::vector<std::string>& steps) {
  std::string name;
  for (const std::string& step : steps) name += "/" + step;
  if (name == "/openapi/v2") {
    const bool is_protobuf = wants_protobuf_openapi(exchange.request.headers.get("Accept"));
    auto text = collect([&](const api::TextSink& sink) {
      if (is_protobuf) {
        api::write_openapi_v2_protobuf(schema_, git_version, sink);
      } else {
        api::write_openapi_v2(schema_, git_version, sink);
      }
    });
    // Too big to keep: clients ask for it rarely.
    auto document = std::make_shared<Document>();
    document->type = is_protobuf ? api::openapi_v2_protobuf_media_type : "application/json";
    document->etag = "\"" + crypto::sha256_hex(text) + "\"";
    document->text = std::make_shared<const std::string>(std::move(text));
    return document;
  }
  if (name == "/openapi/v3") {
    if (auto known = cached(name)) return known;
    return keep(name, "application/json", api::openapi_v3_index(schema_, git_version));
  }
  std::string group;
  std::string version;
  if (steps.size() == 4 && steps[1] == "v3" && steps[2] == "api") {
    version = steps[3];
  } else if (steps.size() == 5 && steps[1] == "v3" && steps[2] == "apis") {
    group = steps[3];
    version = steps[4];
  } else {
    return nullptr;
  }
  bool is_known = false;
  auto text = collect([&](const api::TextSink& sink) {
    is_known = api::write_openapi_v3(schema_, git_version, group, version, sink);
  });
  if (!is_known) return nullptr;
  auto document = std::make_shared<Document>();
  document->type = "application/json";
  document->etag = "\"" + crypto::sha256_hex(text) + "\"";
  document->text = std::make_shared<const std::string>(std::move(text));
  return document;
}

std::unique_ptr<http::Response> DiscoveryEndpoint::serve(const Exchange& exchange,
                                                         const std::vector<std::string>& steps) {
  if (steps.empty()) return nullptr;
  const bool is_discovery = steps[0] == "api" || steps[0] == "apis";
  if (!is_discovery && steps[0] != "openapi") return nullptr;
  const DocumentPtr document = is_discovery ? discovery(exchange, steps) : openapi(exchange, steps);
  if (!document) return nullptr;
  auto response = std::make_unique<http::Response>();
  response->headers.set("Content-Type", document->type);
  response->headers.set("ETag", document->etag);
  response->headers.set("Vary", "Accept");
  // The address of such a document changes with its content.
  if (!exchange.parameter("hash").empty()) {
    response->headers.set("Cache-Control", "public, immutable, max-age=31536000");
  }
  if (exchange.request.headers.get("If-None-Match") == document->etag) {
    response->status = 304;
    response->body = std::string();
    return response;
  }
  response->body = std::vector<http::Segment>{document->text};
  return response;
}

}  // namespace koi::apiserver
