#include "apiserver/token_request.h"

#include <algorithm>

namespace koi::apiserver {

namespace {

using api::StatusOr;

constexpr std::int64_t lifetime_seconds_default = 3600;
constexpr std::int64_t lifetime_seconds_min = 600;
constexpr std::int64_t lifetime_seconds_max = 365 * 24 * 3600;

StatusOr<std::int64_t> lifetime_of(const Call& call, const json::Value& request) {
  const std::int64_t seconds =
      json::int_at(request, {"spec", "expirationSeconds"}, lifetime_seconds_default);
  if (seconds >= lifetime_seconds_min) return std::min(seconds, lifetime_seconds_max);
  api::FieldErrors errors;
  errors.push_back(api::invalid("spec.expirationSeconds", json::Value(seconds),
                                "may not specify a duration less than 10 minutes"));
  return std::unexpected(
      api::invalid_status("authentication.k8s.io", "TokenRequest", call.name, errors));
}

// The object that the token is to die with.
StatusOr<void> bind_to(const Operations& operations, const Call& call, const json::Value& request,
                       auth::TokenSubject& subject) {
  const json::Value* reference = json::find(request, {"spec", "boundObjectRef"});
  if (reference == nullptr || !reference->is_object()) return {};
  const std::string kind(json::string_at(*reference, {"kind"}));
  const std::string name(json::string_at(*reference, {"name"}));
  const std::string uid(json::string_at(*reference, {"uid"}));
  const std::string_view plural = kind == "Pod"      ? "pods"
                                  : kind == "Secret" ? "secrets"
                                  : kind == "Node"   ? "nodes"
                                                     : "";
  if (plural.empty()) {
    return std::unexpected(api::bad_request_status(
        "cannot bind token for serviceaccount to object of type " +
        std::string(json::string_at(*reference, {"apiVersion"})) + ", Kind=" + kind));
  }
  const Resource* resource = operations.catalog().find("", "v1", plural);
  const auto entry = operations.store().get(resource->key(call.name_space, name));
  if (!entry) return std::unexpected(api::not_found_status({"", plural, name}));
  if (!uid.empty() && uid != entry->object->uid()) {
    return std::unexpected(api::conflict_status(
        {"", plural, name}, "the UID in the bound object reference (" + uid +
                                ") does not match the UID in record. The object might have been "
                                "deleted and then recreated"));
  }
  if (kind == "Pod") {
    const json::Value& pod = entry->object->value();
    if (json::string_at(pod, {"spec", "serviceAccountName"}) != call.name) {
      return std::unexpected(api::bad_request_status("cannot bind token for serviceaccount " +
                                                     api::quoted(call.name) +
                                                     " to pod running "
                                                     "with different serviceaccount name."));
    }
    subject.node_name = json::string_at(pod, {"spec", "nodeName"});
    const Resource* nodes = operations.catalog().find("", "v1", "nodes");
    if (const auto node = operations.store().get(nodes->key("", subject.node_name))) {
      subject.node_uid = node->object->uid();
    }
  }
  subject.bound = {kind, name, std::string(entry->object->uid())};
  return {};
}

}  // namespace

Outcome<Written> request_token(const Operations& operations,
                               const auth::ServiceAccountTokens& tokens, const Call& call,
                               json::Value request) {
  auto account = operations.get(call);
  if (!account) co_return std::unexpected(account.error());
  const auto lifetime = lifetime_of(call, request);
  if (!lifetime) co_return std::unexpected(lifetime.error());
  auth::TokenSubject subject;
  subject.name_space = call.name_space;
  subject.account = call.name;
  subject.account_uid = (*account)->uid();
  if (auto bound = bind_to(operations, call, request, subject); !bound) {
    co_return std::unexpected(bound.error());
  }
  std::vector<std::string> audiences;
  for (const json::Value& item : json::array_at(request, {"spec", "audiences"})) {
    if (const auto* text = item.if_string()) audiences.emplace_back(text->data(), text->size());
  }
  if (audiences.empty()) audiences = tokens.options().audiences;
  auto issued = tokens.issue(subject, audiences, std::chrono::seconds(*lifetime));
  if (!issued) co_return std::unexpected(api::internal_status(issued.error().message));
  json::Array& named = json::ensure_array(request, {"spec", "audiences"});
  named.clear();
  for (const std::string& audience : audiences) named.emplace_back(audience);
  json::set(request, {"spec", "expirationSeconds"}, json::Value(*lifetime));
  json::set(request, {"metadata", "name"}, json::Value(call.name));
  json::set(request, {"metadata", "namespace"}, json::Value(call.name_space));
  json::set(request, {"metadata", "creationTimestamp"},
            json::Value(base::format_time(operations.clock().wall_now())));
  request.as_object()["status"] = {{"token", issued->token},
                                   {"expirationTimestamp", base::format_time(issued->expires)}};
  co_return Written{api::make_object(std::move(request)), true};
}

}  // namespace koi::apiserver
