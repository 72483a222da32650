#include "crypto/digest.h"

#include <doctest/doctest.h>

#include "crypto/base64.h"

namespace koi::crypto {

TEST_CASE("digests follow the published vectors however the bytes come") {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(sha256_hex("abc") == abc);
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha512_hex("abc").starts_with("ddaf35a193617abacc417349ae204131"));
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  CHECK(hash.finish_hex() == abc);
  hash.update("abc");
  CHECK(hex_encode(hash.finish()) == abc);
  Sha512 long_hash;
  long_hash.update("abc");
  CHECK(long_hash.finish().size() == Sha512::bytes);
}

TEST_CASE("HMAC-SHA256 follows RFC 4231") {
  CHECK(hex_encode(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("secrets compare by content") {
  CHECK(constant_time_equal("token", "token"));
  CHECK_FALSE(constant_time_equal("token", "tokem"));
  CHECK_FALSE(constant_time_equal("token", "tok"));
  CHECK(constant_time_equal("", ""));
}

}  // namespace koi::crypto
