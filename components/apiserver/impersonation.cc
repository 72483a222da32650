#include "apiserver/impersonation.h"

#include <algorithm>

#include "http/url.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

constexpr std::string_view extra_prefix = "impersonate-extra-";
constexpr std::string_view account_prefix = "system:serviceaccount:";

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

struct Question {
  std::string group;
  std::string resource;
  std::string subresource{};
  std::string name_space{};
  std::string name;
};

StatusOr<void> ask(const ApiService& service, const auth::Identity& user,
                   const Question& question) {
  const auth::Access access{.verb = "impersonate",
                            .group = question.group,
                            .resource = question.resource,
                            .subresource = question.subresource,
                            .name_space = question.name_space,
                            .name = question.name};
  if (auto allowed = service.authorize(user, access); allowed) return {};
  // The name is part of what is refused.
  api::AccessDenied denied{.user = user.name,
                           .verb = "impersonate",
                           .group = access.group,
                           .resource = access.resource,
                           .name_space = access.name_space,
                           .name = access.name};
  return std::unexpected(api::access_denied_status(denied));
}

}  // namespace

StatusOr<auth::Identity> impersonated(const ApiService& service, const auth::Identity& user,
                                      const http::Headers& headers) {
  auth::Identity wanted;
  wanted.name = headers.get("Impersonate-User");
  wanted.uid = headers.get("Impersonate-Uid");
  for (const std::string_view group : headers.all("Impersonate-Group")) {
    wanted.groups.emplace_back(group);
  }
  for (const auto [name, value] : headers) {
    const std::string key = lower(name);
    if (!key.starts_with(extra_prefix)) continue;
    auto decoded = http::percent_decode(std::string_view(key).substr(extra_prefix.size()));
    if (!decoded) return std::unexpected(api::bad_request_status(decoded.error().message));
    wanted.extra[*decoded].emplace_back(value);
  }
  if (wanted.name.empty()) {
    if (wanted.groups.empty() && wanted.uid.empty() && wanted.extra.empty()) return user;
    return std::unexpected(api::bad_request_status(
        "requested impersonation of groups, uid or extra without impersonating a user"));
  }
  std::vector<Question> questions;
  if (wanted.name.starts_with(account_prefix)) {
    const std::string rest = wanted.name.substr(account_prefix.size());
    const auto colon = rest.find(':');
    if (colon == std::string::npos) {
      return std::unexpected(
          api::bad_request_status("'" + wanted.name + "' is no service account"));
    }
    questions.push_back({.group = "",
                         .resource = "serviceaccounts",
                         .name_space = rest.substr(0, colon),
                         .name = rest.substr(colon + 1)});
    if (wanted.groups.empty()) {
      wanted.groups =
          auth::service_account_identity(rest.substr(0, colon), rest.substr(colon + 1), "").groups;
    }
  } else {
    questions.push_back({.group = "", .resource = "users", .name = wanted.name});
  }
  for (const std::string_view group : headers.all("Impersonate-Group")) {
    questions.push_back({.group = "", .resource = "groups", .name = std::string(group)});
  }
  constexpr const char* authentication = "authentication.k8s.io";
  if (!wanted.uid.empty()) {
    questions.push_back({.group = authentication, .resource = "uids", .name = wanted.uid});
  }
  for (const auto& [key, values] : wanted.extra) {
    for (const std::string& value : values) {
      questions.push_back(
          {.group = authentication, .resource = "userextras", .subresource = key, .name = value});
    }
  }
  for (const Question& question : questions) {
    if (auto allowed = ask(service, user, question); !allowed) {
      return std::unexpected(allowed.error());
    }
  }
  const bool is_anonymous = wanted.name == "system:anonymous";
  const std::string base = is_anonymous ? "system:unauthenticated" : "system:authenticated";
  if (!wanted.in_group(base)) wanted.groups.push_back(base);
  return wanted;
}

}  // namespace koi::apiserver
