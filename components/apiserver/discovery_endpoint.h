#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/schema.h"
#include "apiserver/exchange.h"

namespace koi::apiserver {

// What a client asks before anything else: which kinds there are, and what they look like. The
// answers are made once and shared. Any thread.
class DiscoveryEndpoint {
 public:
  // `server_address` is "host:port" as clients outside reach the server.
  DiscoveryEndpoint(const api::Schema& schema, std::string server_address);

  // The answer for /api..., /apis..., /openapi/...; a null pointer for other paths. `steps` are the
  // decoded steps of the path without trailing empty ones.
  std::unique_ptr<http::Response> serve(const Exchange& exchange,
                                        const std::vector<std::string>& steps);

 private:
  struct Document {
    std::string type;
    http::Segment text;
    std::string etag;
  };
  using DocumentPtr = std::shared_ptr<const Document>;

  DocumentPtr cached(const std::string& name);
  DocumentPtr keep(const std::string& name, std::string type, std::string text);
  DocumentPtr discovery(const Exchange& exchange, const std::vector<std::string>& steps);
  DocumentPtr openapi(const Exchange& exchange, const std::vector<std::string>& steps);

  const api::Schema& schema_;
  std::string server_address_;
  std::mutex mutex_;
  std::map<std::string, DocumentPtr> documents_;
};

// What koi says of itself at /version.
std::string version_document();
inline constexpr std::string_view git_version = "v1.36.0+koi.0.1.0";

}  // namespace koi::apiserver
