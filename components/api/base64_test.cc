#include "api/base64.h"

#include <doctest/doctest.h>

namespace koi::api {

TEST_CASE("base64 goes both ways at every length") {
  for (const std::string text : {"", "a", "ab", "abc", "abcd", "\xff\xfe\x01"}) {
    const std::string coded = encode_base64(text);
    CHECK(check_base64(coded).valid);
    CHECK(decode_base64(coded) == text);
  }
  CHECK(encode_base64("hello") == "aGVsbG8=");
}

TEST_CASE("what is no base64 is found at its place") {
  CHECK(check_base64("aGVs!G8=").offset == 4);
  CHECK_FALSE(check_base64("aGVs!G8=").valid);
  CHECK_FALSE(check_base64("aGVsbG8").valid);
  CHECK_FALSE(check_base64("aGVsbG8==").valid);
  CHECK_FALSE(check_base64("=").valid);
  CHECK_FALSE(check_base64("a").valid);
  CHECK(check_base64("aGVs\nbG8=\n").valid);
  CHECK(check_base64("aGVs\nbG8=\n").has_line_breaks);
}

}  // namespace koi::api
