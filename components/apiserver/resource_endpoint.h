#pragma once

#include <memory>

#include "apiserver/api_service.h"
#include "apiserver/exchange.h"
#include "apiserver/node_connection.h"
#include "apiserver/rendering.h"

namespace koi::apiserver {

// Everything below /api/v1 and /apis/<group>/<version> that names a resource. Any thread.
class ResourceEndpoint {
 public:
  struct Doors {
    ApiService& service;
    base::Clock& clock;
    NodeConnection* nodes = nullptr;
  };

  explicit ResourceEndpoint(const Doors& doors) : doors_(doors), events_(make_event_cache()) {}

  base::Task<http::Response> serve(Exchange& exchange) const;

 private:
  api::StatusOr<Call> call(Exchange& exchange) const;
  http::Response read(Exchange& exchange, const Call& call, const std::string& verb) const;
  http::Response watch(Exchange& exchange, const Call& call) const;
  base::Task<http::Response> write(Exchange& exchange, Call call, std::string verb) const;
  base::Task<http::Response> remove(Exchange& exchange, Call call, bool whole_collection) const;
  http::Response answer(const Exchange& exchange, const api::StatusOr<Written>& written) const;
  const api::Schema& schema() const { return doors_.service.operations().catalog().schema(); }

  Doors doors_;
  std::shared_ptr<EventCache> events_;
};

}  // namespace koi::apiserver
