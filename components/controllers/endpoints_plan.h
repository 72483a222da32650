#pragma once

#include <string>
#include <vector>

#include "api/object.h"

namespace koi::controllers {

// What the endpoints of a Service are computed from. `pods` are those that its selector matches.
struct EndpointsFacts {
  const api::Object& service;
  std::vector<api::ObjectPtr> pods{};
};

// The v1 Endpoints of the Service, as a whole object without resourceVersion. Ready addresses and
// those not ready, grouped by the ports that they have.
json::Value build_endpoints(const EndpointsFacts& facts);

// The EndpointSlices of the Service, one address family and one set of ports each, at most a
// hundred endpoints in one. Without names.
std::vector<json::Value> build_slices(const EndpointsFacts& facts);

// What has to be written so that these slices hold the wanted endpoints: existing ones are reused
// in order.
struct SlicesPlan {
  std::vector<json::Value> create{};
  std::vector<json::Value> update{};
  std::vector<api::ObjectPtr> remove{};
};
SlicesPlan plan_slices(const std::vector<json::Value>& wanted,
                       const std::vector<api::ObjectPtr>& existing);

}  // namespace koi::controllers
