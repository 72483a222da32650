#include "crypto/jwt.h"

#include <openssl/core_names.h>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/native.h"
#include "json/value.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::fail;

constexpr int coordinate_bytes = 32;
using OwnedSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

std::string big_endian(const BIGNUM* number) {
  std::string bytes(coordinate_bytes, '\0');
  const int size =
      BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), coordinate_bytes);
  return size == coordinate_bytes ? bytes : std::string();
}

// JWS carries r and s side by side, OpenSSL wants them in DER.
base::Result<std::string> raw_from_der(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const OwnedSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!signature) return fail(openssl_error(Code::internal, "read a signature"));
  const std::string r = big_endian(ECDSA_SIG_get0_r(signature.get()));
  const std::string s = big_endian(ECDSA_SIG_get0_s(signature.get()));
  if (r.empty() || s.empty()) return fail(Code::invalid, "the key is not a P-256 key");
  return r + s;
}

base::Result<std::string> der_from_raw(std::string_view raw) {
  if (raw.size() != 2 * coordinate_bytes) {
    return fail(Code::unauthorized, "the signature of the token has a wrong length");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  const OwnedSignature signature(ECDSA_SIG_new());
  OwnedNumber r(BN_bin2bn(bytes, coordinate_bytes, nullptr));
  OwnedNumber s(BN_bin2bn(bytes + coordinate_bytes, coordinate_bytes, nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    return fail(openssl_error(Code::internal, "read a signature"));
  }
  (void)r.release();
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return fail(openssl_error(Code::internal, "encode a signature"));
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

struct Parts {
  std::string_view signed_text;
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
};

base::Result<Parts> split(std::string_view token) {
  if (token.size() > jwt_bytes_max) return fail(Code::too_large, "the token is too large");
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return fail(Code::invalid, "the token is not three parts between dots");
  }
  return Parts{token.substr(0, second), token.substr(0, first),
               token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

}  // namespace

base::Result<std::string> sign_jwt(const PrivateKey& key, std::string_view key_id,
                                   std::string_view claims) {
  json::Object header;
  header["alg"] = "ES256";
  header["typ"] = "JWT";
  if (!key_id.empty()) header["kid"] = key_id;
  std::string text = base64url_encode(json::serialize(header));
  text += '.';
  text += base64url_encode(claims);
  auto der = key.sign(text);
  if (!der) return fail(std::move(der).error().during("sign a token"));
  auto raw = raw_from_der(*der);
  if (!raw) return fail(std::move(raw).error().during("sign a token"));
  text += '.';
  text += base64url_encode(*raw);
  return text;
}

base::Result<Jwt> parse_jwt(std::string_view token) {
  auto parts = split(token);
  if (!parts) return fail(std::move(parts).error());
  auto header_text = base64url_decode(parts->header);
  if (!header_text) return fail(std::move(header_text).error().during("header of the token"));
  auto claims = base64url_decode(parts->claims);
  if (!claims) return fail(std::move(claims).error().during("claims of the token"));
  auto header = json::parse(*header_text);
  if (!header) return fail(std::move(header).error().during("header of the token"));
  if (!header->is_object()) return fail(Code::invalid, "the header of the token is no object");
  Jwt jwt;
  jwt.algorithm = json::string_at(*header, {"alg"});
  jwt.key_id = json::string_at(*header, {"kid"});
  jwt.claims = std::move(*claims);
  return jwt;
}

base::Result<Jwt> verify_jwt(std::string_view token, const PublicKey& key) {
  auto jwt = parse_jwt(token);
  auto parts = split(token);
  if (!jwt || !parts) return fail(Code::unauthorized, jwt.error().message);
  if (jwt->algorithm != "ES256") {
    return fail(Code::unauthorized, "the token is signed with '" + jwt->algorithm + "', not ES256");
  }
  if (!key.is_p256()) return fail(Code::unauthorized, "the key is not a P-256 key");
  auto raw = base64url_decode(parts->signature);
  if (!raw) return fail(Code::unauthorized, "the signature of the token is not base64url");
  auto der = der_from_raw(*raw);
  if (!der) return fail(std::move(der).error());
  auto good = key.verify(parts->signed_text, *der);
  if (!good) return fail(std::move(good).error());
  return jwt;
}

base::Result<std::string> jwt_key_id(const PublicKey& key) {
  auto der = key.to_der();
  if (!der) return der;
  return base64url_encode(sha256(*der));
}

base::Result<std::string> to_jwk(const PublicKey& key, std::string_view key_id) {
  if (!key.is_p256()) return fail(Code::unsupported, "only P-256 keys have a JSON form here");
  BIGNUM* x = nullptr;
  BIGNUM* y = nullptr;
  EVP_PKEY_get_bn_param(key.native().key.get(), OSSL_PKEY_PARAM_EC_PUB_X, &x);
  EVP_PKEY_get_bn_param(key.native().key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, &y);
  const OwnedNumber own_x(x);
  const OwnedNumber own_y(y);
  if (!own_x || !own_y) return fail(openssl_error(Code::internal, "read a public key"));
  json::Object jwk;
  jwk["use"] = "sig";
  jwk["kty"] = "EC";
  jwk["kid"] = key_id;
  jwk["crv"] = "P-256";
  jwk["alg"] = "ES256";
  jwk["x"] = base64url_encode(big_endian(x));
  jwk["y"] = base64url_encode(big_endian(y));
  return json::serialize(jwk);
}

}  // namespace koi::crypto
