#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/key.h"

namespace koi::crypto {

// A JSON Web Token signed with ES256 (RFC 7519, RFC 7518). Claims are JSON text; their meaning
// (time, audience, issuer) is the caller's to check.
base::Result<std::string> sign_jwt(const Key& key, std::string_view claims);

// The claims of a token whose signature holds and whose header names ES256 and this key. Fails with
// unauthorized otherwise.
base::Result<std::string> verify_jwt(const Key& key, std::string_view token);

// The key's name in token headers.
std::string key_id(const Key& key);

}  // namespace koi::crypto
