#include "apiserver/request_target.h"

#include <algorithm>

namespace koi::apiserver {

auth::Access RequestTarget::access(std::string verb) const {
  auth::Access access;
  access.verb = std::move(verb);
  if (!is_resource) {
    access.path = path;
    return access;
  }
  access.group = group;
  access.resource = plural;
  access.subresource = subresource;
  access.name_space = name_space;
  access.name = name;
  return access;
}

RequestTarget parse_target(std::string path, const std::vector<std::string>& steps) {
  RequestTarget target;
  target.path = std::move(path);
  std::size_t at = 0;
  if (steps.size() >= 3 && steps[0] == "api") {
    target.version = steps[1];
    at = 2;
  } else if (steps.size() >= 4 && steps[0] == "apis") {
    target.group = steps[1];
    target.version = steps[2];
    at = 3;
  } else {
    return target;
  }
  if (steps[at] == "watch" && steps.size() > at + 1) {
    target.is_watch_path = true;
    ++at;
  }
  const std::size_t left = steps.size() - at;
  // Below a namespace, unless the namespace itself is meant.
  if (steps[at] == "namespaces" && left > 2 && steps[at + 2] != "status" &&
      steps[at + 2] != "finalize") {
    target.name_space = steps[at + 1];
    at += 2;
  }
  target.is_resource = true;
  target.plural = steps[at];
  if (at + 1 < steps.size()) target.name = steps[at + 1];
  if (at + 2 < steps.size()) target.subresource = steps[at + 2];
  for (std::size_t i = at + 3; i < steps.size(); ++i) target.rest += "/" + steps[i];
  return target;
}

std::string verb_of(const RequestTarget& target, const http::Request& request, bool is_watch) {
  using http::Method;
  const Method method = request.method;
  if (!target.is_resource) {
    std::string verb(http::method_name(method));
    std::ranges::transform(verb, verb.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return verb;
  }
  if (method == Method::post) return "create";
  if (method == Method::put) return "update";
  if (method == Method::patch) return "patch";
  if (method == Method::delete_) return target.name.empty() ? "deletecollection" : "delete";
  if (method != Method::get && method != Method::head) return {};
  if (is_watch || target.is_watch_path) return "watch";
  return target.name.empty() ? "list" : "get";
}

}  // namespace koi::apiserver
