#include <doctest/doctest.h>

#include "json/value.h"

namespace koi::json {

TEST_CASE("serialized text reads back and is compact") {
  constexpr std::string_view text =
      R"({"s":"a\"\\\n\u0001\t\u007fé","n":[-1,0,18446744073709551615,1.5,1e+30,0.1],)"
      R"("o":{},"a":[],"t":true,"f":false,"z":null})";
  const auto value = parse(text);
  REQUIRE(value.has_value());
  const std::string out = serialize(*value);
  CHECK(out.find("[-1,0,18446744073709551615,1.5,1e+30,0.1]") != std::string::npos);
  CHECK(out.find(R"("s":"a\"\\\n\u0001\t)") != std::string::npos);
  const auto again = parse(out);
  REQUIRE(again.has_value());
  CHECK(*again == *value);
}

}  // namespace koi::json
