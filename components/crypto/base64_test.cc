#include "crypto/base64.h"

#include <doctest/doctest.h>

namespace koi::crypto {

TEST_CASE("base64 follows the vectors of RFC 4648") {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, encoded] : vectors) {
    CAPTURE(plain);
    CHECK(base64_encode(plain) == encoded);
    CHECK(base64_decode(encoded).value() == plain);
    std::string bare = encoded;
    while (bare.ends_with('=')) bare.pop_back();
    CHECK(base64url_encode(plain) == bare);
    CHECK(base64url_decode(bare).value() == plain);
  }
  CHECK(base64_decode("Zm9v\nYmFy\r\n").value() == "foobar");
  CHECK(base64url_encode("\xff\xfe\xfd") == "__79");
}

TEST_CASE("text that no encoder made is refused") {
  for (const char* bad : {"Z", "Zg", "Zg=", "Zh==", "Zm9!", "Zg==Zg==", "====", "Z===", "Zm 9v"}) {
    CAPTURE(bad);
    CHECK_FALSE(base64_decode(bad).has_value());
  }
  for (const char* bad : {"Z", "Zg==", "Zh", "ab+/"}) {
    CAPTURE(bad);
    CHECK_FALSE(base64url_decode(bad).has_value());
  }
}

TEST_CASE("hex goes both ways") {
  CHECK(hex_encode(std::string("\x00\xff\x10", 3)) == "00ff10");
  CHECK(hex_decode("00FF10").value() == std::string("\x00\xff\x10", 3));
  CHECK_FALSE(hex_decode("0").has_value());
  CHECK_FALSE(hex_decode("0g").has_value());
}

}  // namespace koi::crypto
