#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/identity.h"
#include "http/message.h"

namespace koi::apiserver {

// What the path of a request names.
struct RequestTarget {
  bool is_resource = false;  // else only `path` counts
  std::string path;          // as sent, without the query
  std::string group{};
  std::string version{};
  std::string plural{};
  std::string name_space{};
  std::string name{};
  std::string subresource{};
  std::string rest{};  // what follows a proxy subresource
  bool is_watch_path = false;

  // What authorizers are asked about.
  auth::Access access(std::string verb) const;
};

// Never fails: a path that is none of the API's is a non-resource path. `steps` are the decoded
// steps of `path`.
RequestTarget parse_target(std::string path, const std::vector<std::string>& steps);

// "get", "list", "create", ...: what the method means there. Empty for methods that mean nothing.
std::string verb_of(const RequestTarget& target, const http::Request& request, bool is_watch);

}  // namespace koi::apiserver
