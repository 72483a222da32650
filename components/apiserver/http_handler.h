#pragma once

#include <memory>

#include "apiserver/discovery_endpoint.h"
#include "apiserver/health_endpoint.h"
#include "apiserver/resource_endpoint.h"
#include "http/server.h"

namespace koi::apiserver {

// Answers every request of the API port: who, what, whether, and the answer. Any thread.
class HttpHandler final : public http::Handler {
 public:
  struct Doors {
    ApiService& service;
    base::Clock& clock;
    base::Random& random;
    DiscoveryEndpoint& discovery;
    HealthEndpoint& health;
    NodeConnection* nodes = nullptr;
    std::shared_ptr<const auth::ServiceAccountTokens> tokens{};
  };

  explicit HttpHandler(const Doors& doors)
      : doors_(doors), resources_({doors.service, doors.clock, doors.nodes}) {}

  base::Task<http::Response> handle(http::Request& request) override;
  http::Response refuse(int status, std::string_view why) override;

 private:
  base::Task<http::Response> answer(Exchange& exchange);
  api::StatusOr<auth::Identity> identify(const http::Request& request) const;
  http::Response other(Exchange& exchange, const std::vector<std::string>& steps);
  std::unique_ptr<http::Response> openid(const std::vector<std::string>& steps) const;

  Doors doors_;
  ResourceEndpoint resources_;
};

}  // namespace koi::apiserver
