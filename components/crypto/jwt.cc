#include "crypto/jwt.h"

#include "crypto/base64.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::Result;

constexpr std::size_t token_bytes_max = 16 * 1024;

std::string header_for(const Key& key) { return R"({"alg":"ES256","kid":")" + key_id(key) + "\"}"; }

std::unexpected<base::Error> reject(const char* reason) {
  return base::fail(Code::unauthorized, std::string("token: ") + reason);
}

}  // namespace

std::string key_id(const Key& key) { return base64url_encode(key.public_digest()); }

Result<std::string> sign_jwt(const Key& key, std::string_view claims) {
  std::string token = base64url_encode(header_for(key)) + "." + base64url_encode(claims);
  auto signature = key.sign(token);
  if (!signature) return base::fail(std::move(signature).error());
  token += "." + base64url_encode(*signature);
  return token;
}

Result<std::string> verify_jwt(const Key& key, std::string_view token) {
  if (token.size() > token_bytes_max) return reject("too long");
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == token.npos || first == last) return reject("not a JSON Web Token");
  // koi signs every token itself, so the header is known to the byte: nothing in it is parsed, and
  // no algorithm can be chosen by whoever sends it.
  const auto header = base64url_decode(token.substr(0, first));
  if (!header || *header != header_for(key)) return reject("signed by another key");
  const auto signature = base64url_decode(token.substr(last + 1));
  if (!signature || !key.verify(token.substr(0, last), *signature)) {
    return reject("the signature does not hold");
  }
  auto claims = base64url_decode(token.substr(first + 1, last - first - 1));
  if (!claims) return reject("the claims are not base64");
  return claims;
}

}  // namespace koi::crypto
