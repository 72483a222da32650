#include "crypto/jwt.h"

#include <doctest/doctest.h>

#include "crypto/base64.h"
#include "testing/sim_random.h"

namespace koi::crypto {

TEST_CASE("a token holds for its key only") {
  testing::SimRandom random(4);
  const auto key = PrivateKey::generate(random).value();
  const auto other = PrivateKey::generate(random).value().public_key().value();
  const auto public_key = key.public_key().value();
  const std::string id = jwt_key_id(public_key).value();
  const std::string token = sign_jwt(key, id, R"({"sub":"system:serviceaccount:a:b"})").value();
  const auto parsed = parse_jwt(token).value();
  CHECK(parsed.algorithm == "ES256");
  CHECK(parsed.key_id == id);
  CHECK(parsed.claims == R"({"sub":"system:serviceaccount:a:b"})");
  CHECK(verify_jwt(token, public_key).value().claims == parsed.claims);
  CHECK(verify_jwt(token, other).error().code == base::Code::unauthorized);
}

TEST_CASE("changing any character of a token breaks it") {
  testing::SimRandom random(5);
  const auto key = PrivateKey::generate(random).value();
  const auto public_key = key.public_key().value();
  const std::string token = sign_jwt(key, "k", R"({"a":1})").value();
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CAPTURE(i);
    CHECK_FALSE(verify_jwt(changed, public_key).has_value());
    CHECK_FALSE(verify_jwt(token.substr(0, i), public_key).has_value());
  }
}

TEST_CASE("unsigned and foreign algorithms are refused") {
  testing::SimRandom random(6);
  const auto key = PrivateKey::generate(random).value().public_key().value();
  const std::string claims = base64url_encode("{}");
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"HS256"})", R"([])", R"({})", "x"}) {
    CAPTURE(header);
    const std::string token = base64url_encode(header) + "." + claims + ".";
    CHECK(verify_jwt(token, key).error().code == base::Code::unauthorized);
  }
  for (const char* text : {"", ".", "..", "a.b", "a.b.c.d"}) {
    CAPTURE(text);
    CHECK_FALSE(verify_jwt(text, key).has_value());
  }
  CHECK(parse_jwt(std::string(jwt_bytes_max + 1, 'a')).error().code == base::Code::too_large);
}

TEST_CASE("a key has a JSON form") {
  testing::SimRandom random(7);
  const auto key = PrivateKey::generate(random).value().public_key().value();
  const std::string jwk = to_jwk(key, "id").value();
  CHECK(jwk.find(R"("kid":"id")") != std::string::npos);
  CHECK(jwk.find(R"("crv":"P-256")") != std::string::npos);
}

}  // namespace koi::crypto
