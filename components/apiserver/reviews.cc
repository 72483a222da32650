#include "apiserver/reviews.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

std::vector<std::string> strings_at(const json::Value& value, json::Path path) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(value, path)) {
    if (const auto* text = item.if_string()) out.emplace_back(text->data(), text->size());
  }
  return out;
}

json::Array to_array(const std::vector<std::string>& items) {
  json::Array out;
  for (const std::string& item : items) out.emplace_back(item);
  return out;
}

json::Value describe(const auth::Identity& user) {
  json::Object out;
  out["username"] = user.name;
  if (!user.uid.empty()) out["uid"] = user.uid;
  if (!user.groups.empty()) out["groups"] = to_array(user.groups);
  if (!user.extra.empty()) {
    json::Object& extra = out["extra"].emplace_object();
    for (const auto& [key, values] : user.extra) extra[key] = to_array(values);
  }
  return out;
}

std::string text_at(const json::Value& value, json::Path path) {
  return std::string(json::string_at(value, path));
}

StatusOr<auth::Access> access_of(const json::Value& review) {
  auth::Access access;
  if (json::find(review, {"spec", "resourceAttributes"}) != nullptr) {
    const json::Value& wanted = *json::find(review, {"spec", "resourceAttributes"});
    access.verb = text_at(wanted, {"verb"});
    access.group = text_at(wanted, {"group"});
    access.resource = text_at(wanted, {"resource"});
    access.subresource = text_at(wanted, {"subresource"});
    access.name_space = text_at(wanted, {"namespace"});
    access.name = text_at(wanted, {"name"});
    return access;
  }
  if (json::find(review, {"spec", "nonResourceAttributes"}) != nullptr) {
    access.verb = text_at(review, {"spec", "nonResourceAttributes", "verb"});
    access.path = text_at(review, {"spec", "nonResourceAttributes", "path"});
    if (access.path.empty()) access.path = "/";
    return access;
  }
  api::FieldErrors errors;
  errors.push_back(
      api::invalid("spec.resourceAttributes", json::Value(nullptr),
                   "exactly one of nonResourceAttributes or resourceAttributes must be specified"));
  return std::unexpected(
      api::invalid_status("authorization.k8s.io", json::string_at(review, {"kind"}), "", errors));
}

StatusOr<auth::Identity> subject_of(const json::Value& review) {
  auth::Identity user{.name = text_at(review, {"spec", "user"}),
                      .uid = text_at(review, {"spec", "uid"}),
                      .groups = strings_at(review, {"spec", "groups"})};
  if (!user.name.empty() || !user.groups.empty()) return user;
  api::FieldErrors errors;
  errors.push_back(api::invalid("spec.user", json::Value(""),
                                "at least one of user or group must be specified"));
  return std::unexpected(
      api::invalid_status("authorization.k8s.io", json::string_at(review, {"kind"}), "", errors));
}

StatusOr<json::Value> answer_access(const Call& call, json::Value review, bool is_self,
                                    const ReviewDoors& doors) {
  auto access = access_of(review);
  if (!access) return std::unexpected(access.error());
  auth::Identity user = call.user;
  if (!is_self) {
    auto subject = subject_of(review);
    if (!subject) return std::unexpected(subject.error());
    user = std::move(*subject);
  }
  if (call.resource->plural() == "localsubjectaccessreviews" &&
      access->name_space != call.name_space) {
    return std::unexpected(api::bad_request_status(
        "spec.resourceAttributes.namespace must match namespace: " + call.name_space));
  }
  const auth::Verdict verdict = doors.authorizer.decide(user, *access);
  json::Object status{{"allowed", verdict.allowed}};
  if (!verdict.reason.empty()) status["reason"] = verdict.reason;
  review.as_object()["status"] = std::move(status);
  return review;
}

StatusOr<json::Value> answer_rules(const Call& call, json::Value review, const ReviewDoors& doors) {
  const std::string name_space = text_at(review, {"spec", "namespace"});
  if (name_space.empty()) {
    return std::unexpected(api::bad_request_status("no namespace on request"));
  }
  json::Array resource_rules;
  json::Array path_rules;
  const auto add = [&](const auth::PolicyRule& rule) {
    if (!rule.paths.empty()) {
      path_rules.push_back(
          {{"verbs", to_array(rule.verbs)}, {"nonResourceURLs", to_array(rule.paths)}});
    }
    if (rule.resources.empty()) return;
    json::Object entry{{"verbs", to_array(rule.verbs)},
                       {"apiGroups", to_array(rule.groups)},
                       {"resources", to_array(rule.resources)}};
    if (!rule.names.empty()) entry["resourceNames"] = to_array(rule.names);
    resource_rules.emplace_back(std::move(entry));
  };
  const auth::PolicyRules rules = doors.authorizer.snapshot()->rules_of(call.user, name_space);
  // Masters need no role; they usually have one all the same.
  if (call.user.is_master() && rules.empty()) {
    add({.verbs = {"*"}, .groups = {"*"}, .resources = {"*"}});
    add({.verbs = {"*"}, .paths = {"*"}});
  }
  for (const auto& rule : rules) add(rule);
  review.as_object()["status"] = {{"resourceRules", std::move(resource_rules)},
                                  {"nonResourceRules", std::move(path_rules)},
                                  {"incomplete", false}};
  return review;
}

StatusOr<json::Value> answer_token(json::Value review, const ReviewDoors& doors) {
  const std::string token = text_at(review, {"spec", "token"});
  json::Object status;
  auto verified = doors.authenticator.check_token(token, strings_at(review, {"spec", "audiences"}));
  if (verified) {
    status["authenticated"] = true;
    status["user"] = describe(verified->identity);
    if (!verified->audiences.empty()) status["audiences"] = to_array(verified->audiences);
  } else {
    status["user"].emplace_object();
    status["error"] = verified.error().message;
  }
  review.as_object()["status"] = std::move(status);
  return review;
}

}  // namespace

StatusOr<json::Value> answer_review(const Call& call, json::Value review,
                                    const ReviewDoors& doors) {
  const std::string_view plural = call.resource->plural();
  if (plural == "selfsubjectreviews") {
    review.as_object()["status"] = {{"userInfo", describe(call.user)}};
    json::set(review, {"metadata", "creationTimestamp"}, json::Value(base::format_time(doors.now)));
    return review;
  }
  if (plural == "tokenreviews") return answer_token(std::move(review), doors);
  if (plural == "selfsubjectrulesreviews") return answer_rules(call, std::move(review), doors);
  if (plural == "selfsubjectaccessreviews") {
    return answer_access(call, std::move(review), true, doors);
  }
  if (plural == "subjectaccessreviews" || plural == "localsubjectaccessreviews") {
    return answer_access(call, std::move(review), false, doors);
  }
  return std::unexpected(api::method_not_supported_status(call.about(), "create"));
}

}  // namespace koi::apiserver
