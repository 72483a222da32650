#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/key.h"

namespace koi::crypto {

inline constexpr std::size_t jwt_bytes_max = 64 * 1024;

// The parts of a JSON Web Token, decoded but not judged.
struct Jwt {
  std::string algorithm;  // "ES256"
  std::string key_id;     // "" when the header names none
  std::string claims;     // JSON text
};

// ES256 over a P-256 key. `claims` is the text of a JSON object.
base::Result<std::string> sign_jwt(const PrivateKey& key, std::string_view key_id,
                                   std::string_view claims);

// Splits without checking the signature: to choose the key by id or issuer. Fails with invalid.
base::Result<Jwt> parse_jwt(std::string_view token);

// The same once the signature holds; only ES256 is taken. Fails with unauthorized. Expiry and
// audience are the caller's to check.
base::Result<Jwt> verify_jwt(std::string_view token, const PublicKey& key);

// base64url(SHA-256(SubjectPublicKeyInfo)): the key id that Kubernetes gives.
base::Result<std::string> jwt_key_id(const PublicKey& key);
// The key as one JSON Web Key for signatures, JSON text.
base::Result<std::string> to_jwk(const PublicKey& key, std::string_view key_id);

}  // namespace koi::crypto
