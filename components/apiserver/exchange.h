#pragma once

#include <string>
#include <vector>

#include "api/status.h"
#include "apiserver/negotiation.h"
#include "apiserver/request_target.h"
#include "auth/identity.h"
#include "http/message.h"
#include "http/url.h"

namespace koi::apiserver {

// One request over HTTP while it is being answered.
struct Exchange {
  http::Request& request;
  RequestTarget target{};
  http::Query query{};
  auth::Identity user{};
  Rendering rendering{};
  std::vector<std::string> warnings{};

  std::string_view parameter(std::string_view name) const { return query.get(name); }
  bool flag(std::string_view name) const {
    const auto found = query.find(name);
    return found && *found != "false" && *found != "0";
  }
};

}  // namespace koi::apiserver
