#include "auth/service_account_tokens.h"

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/jwt.h"

namespace koi::auth {

namespace {

using base::Code;
using base::Result;

constexpr std::size_t checked_tokens_max = 10'000;
constexpr std::size_t token_bytes_max = 8 * 1024;

std::int64_t unix_seconds(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

json::Value reference(std::string_view name, std::string_view uid) {
  return {{"name", name}, {"uid", uid}};
}

std::vector<std::string> audiences_of(const json::Value& claims) {
  std::vector<std::string> out;
  if (const auto single = json::string_at(claims, {"aud"}); !single.empty()) {
    out.emplace_back(single);
  }
  for (const json::Value& item : json::array_at(claims, {"aud"})) {
    if (const auto* text = item.if_string()) out.emplace_back(text->data(), text->size());
  }
  return out;
}

Identity identity_of(const json::Value& claims) {
  constexpr std::string_view own = "kubernetes.io";
  Identity identity =
      service_account_identity(json::string_at(claims, {own, "namespace"}),
                               json::string_at(claims, {own, "serviceaccount", "name"}),
                               json::string_at(claims, {own, "serviceaccount", "uid"}));
  const auto add = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    identity.extra["authentication.kubernetes.io/" + std::string(name)] = {std::string(value)};
  };
  const std::string_view id = json::string_at(claims, {"jti"});
  if (!id.empty()) add("credential-id", "JTI=" + std::string(id));
  add("pod-name", json::string_at(claims, {own, "pod", "name"}));
  add("pod-uid", json::string_at(claims, {own, "pod", "uid"}));
  add("node-name", json::string_at(claims, {own, "node", "name"}));
  add("node-uid", json::string_at(claims, {own, "node", "uid"}));
  return identity;
}

}  // namespace

ServiceAccountTokens::ServiceAccountTokens(const crypto::PrivateKey& key,
                                           const crypto::PublicKey& public_key, std::string key_id,
                                           base::Clock& clock, base::Random& random,
                                           ObjectLookup lookup, Options options)
    : key_(key),
      public_key_(public_key),
      key_id_(std::move(key_id)),
      clock_(clock),
      random_(random),
      lookup_(std::move(lookup)),
      options_(std::move(options)) {}

Result<std::shared_ptr<const ServiceAccountTokens>> ServiceAccountTokens::create(
    const crypto::PrivateKey& key, base::Clock& clock, base::Random& random, ObjectLookup lookup,
    Options options) {
  auto public_key = key.public_key();
  if (!public_key) return base::fail(std::move(public_key).error().during("token key"));
  auto key_id = crypto::jwt_key_id(*public_key);
  if (!key_id) return base::fail(std::move(key_id).error().during("token key"));
  return std::shared_ptr<const ServiceAccountTokens>(new ServiceAccountTokens(
      key, *public_key, std::move(*key_id), clock, random, std::move(lookup), std::move(options)));
}

Result<IssuedToken> ServiceAccountTokens::issue(const TokenSubject& subject,
                                                std::vector<std::string> audiences,
                                                std::chrono::seconds lifetime) const {
  if (audiences.empty()) audiences = options_.audiences;
  const base::WallTime now = clock_.wall_now();
  const std::int64_t issued = unix_seconds(now);
  json::Object own;
  own["namespace"] = subject.name_space;
  if (!subject.node_name.empty()) own["node"] = reference(subject.node_name, subject.node_uid);
  if (subject.bound.kind == "Pod") own["pod"] = reference(subject.bound.name, subject.bound.uid);
  if (subject.bound.kind == "Secret") {
    own["secret"] = reference(subject.bound.name, subject.bound.uid);
  }
  if (subject.bound.kind == "Node") own["node"] = reference(subject.bound.name, subject.bound.uid);
  own["serviceaccount"] = reference(subject.account, subject.account_uid);
  json::Object claims;
  json::Array& audience = claims["aud"].emplace_array();
  for (const std::string& name : audiences) audience.emplace_back(name);
  claims["exp"] = issued + lifetime.count();
  claims["iat"] = issued;
  claims["iss"] = options_.issuer;
  claims["jti"] = random_.uuid();
  claims["kubernetes.io"] = std::move(own);
  claims["nbf"] = issued;
  claims["sub"] = "system:serviceaccount:" + subject.name_space + ":" + subject.account;
  auto token = crypto::sign_jwt(key_, key_id_, json::serialize(claims));
  if (!token) return base::fail(std::move(token).error().during("sign token"));
  return IssuedToken{std::move(*token), now + lifetime};
}

bool ServiceAccountTokens::looks_like_token(std::string_view text) {
  return std::ranges::count(text, '.') == 2;
}

Result<std::string> ServiceAccountTokens::claims_of(std::string_view token) const {
  const std::string digest = crypto::sha256(token);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = checked_.find(digest); found != checked_.end()) return found->second;
  }
  auto verified = crypto::verify_jwt(token, public_key_);
  if (!verified) return base::fail(Code::unauthorized, std::move(verified).error().message);
  const std::lock_guard lock(mutex_);
  if (checked_.size() >= checked_tokens_max) checked_.clear();
  checked_[digest] = verified->claims;
  return std::move(verified->claims);
}

Result<> ServiceAccountTokens::check_living(const json::Value& claims) const {
  constexpr std::string_view own = "kubernetes.io";
  const std::string_view name_space = json::string_at(claims, {own, "namespace"});
  struct Reference {
    std::string_view claim;
    std::string_view plural;
    bool namespaced;
  };
  static constexpr Reference references[] = {{"serviceaccount", "serviceaccounts", true},
                                             {"pod", "pods", true},
                                             {"secret", "secrets", true}};
  for (const Reference& reference : references) {
    if (json::find(claims, {own, reference.claim}) == nullptr) continue;
    const std::string_view name = json::string_at(claims, {own, reference.claim, "name"});
    const auto object = lookup_(reference.plural, name_space, name);
    if (!object || object->uid() != json::string_at(claims, {own, reference.claim, "uid"})) {
      return base::fail(Code::unauthorized, std::string(reference.claim) + " '" +
                                                std::string(name_space) + "/" + std::string(name) +
                                                "' of the token is gone");
    }
  }
  return {};
}

Result<VerifiedToken> ServiceAccountTokens::verify(
    std::string_view token, const std::vector<std::string>& audiences) const {
  if (token.size() > token_bytes_max) return base::fail(Code::unauthorized, "token is too long");
  auto text = claims_of(token);
  if (!text) return base::fail(std::move(text).error());
  const auto claims = json::parse(*text);
  if (!claims) return base::fail(Code::unauthorized, "token claims are no JSON");
  if (json::string_at(*claims, {"iss"}) != options_.issuer) {
    return base::fail(Code::unauthorized, "token is from another issuer");
  }
  const std::int64_t now = unix_seconds(clock_.wall_now());
  if (now >= json::int_at(*claims, {"exp"}, 0)) {
    return base::fail(Code::unauthorized, "token has expired");
  }
  // A minute for clocks that do not agree.
  if (now + 60 < json::int_at(*claims, {"nbf"}, 0)) {
    return base::fail(Code::unauthorized, "token is not valid yet");
  }
  VerifiedToken verified;
  const std::vector<std::string> own = audiences_of(*claims);
  for (const std::string& audience : audiences.empty() ? options_.audiences : audiences) {
    if (std::ranges::find(own, audience) != own.end()) verified.audiences.push_back(audience);
  }
  if (verified.audiences.empty()) {
    return base::fail(Code::unauthorized, "token is for another audience");
  }
  if (auto living = check_living(*claims); !living) return base::fail(living.error());
  verified.identity = identity_of(*claims);
  return verified;
}

}  // namespace koi::auth
