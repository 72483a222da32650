#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/object.h"
#include "auth/identity.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/jwt.h"
#include "crypto/key.h"

namespace koi::auth {

// A live object by core resource, namespace and name; null when absent.
using ObjectLookup = std::function<api::ObjectPtr(
    std::string_view plural, std::string_view name_space, std::string_view name)>;

// An object that a token dies with.
struct BoundObject {
  std::string kind{};  // "Pod", "Secret", "Node"; empty: none
  std::string name{};
  std::string uid{};
};

struct TokenSubject {
  std::string name_space{};
  std::string account{};
  std::string account_uid{};
  BoundObject bound{};
  // The node of a bound pod, for the record.
  std::string node_name{};
  std::string node_uid{};
};

struct IssuedToken {
  std::string token;
  base::WallTime expires;
};

struct VerifiedToken {
  Identity identity;
  std::vector<std::string> audiences;  // those asked for that the token is for
};

// Issues and checks the tokens that service accounts show: JWTs signed with ES256. Any thread.
class ServiceAccountTokens {
 public:
  struct Options {
    std::string issuer = "https://kubernetes.default.svc.cluster.local";
    // Every token is for these unless it asks for others.
    std::vector<std::string> audiences = {"https://kubernetes.default.svc.cluster.local"};
  };

  // Fails when the key cannot sign ES256.
  static base::Result<std::shared_ptr<const ServiceAccountTokens>> create(
      const crypto::PrivateKey& key, base::Clock& clock, base::Random& random, ObjectLookup lookup,
      Options options);

  // `audiences` empty: the server's own.
  base::Result<IssuedToken> issue(const TokenSubject& subject, std::vector<std::string> audiences,
                                  std::chrono::seconds lifetime) const;

  // Whether the text looks like a token of this issuer at all.
  static bool looks_like_token(std::string_view text);

  // Signature, issuer, time, audience, and that account and bound object still live. Fails with
  // unauthorized and the reason.
  base::Result<VerifiedToken> verify(std::string_view token,
                                     const std::vector<std::string>& audiences) const;

  const Options& options() const { return options_; }
  // The public key as a JSON Web Key, for those who check tokens themselves.
  base::Result<std::string> public_jwk() const { return crypto::to_jwk(public_key_, key_id_); }

 private:
  ServiceAccountTokens(const crypto::PrivateKey& key, const crypto::PublicKey& public_key,
                       std::string key_id, base::Clock& clock, base::Random& random,
                       ObjectLookup lookup, Options options);
  base::Result<std::string> claims_of(std::string_view token) const;
  base::Result<> check_living(const json::Value& claims) const;

  crypto::PrivateKey key_;
  crypto::PublicKey public_key_;
  std::string key_id_;
  base::Clock& clock_;
  base::Random& random_;
  ObjectLookup lookup_;
  Options options_;
  // Signatures that were found good, so that a busy client costs one check.
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::string> checked_;
};

}  // namespace koi::auth
