#include "api/quantity.h"

#include <doctest/doctest.h>

#include <limits>
#include <utility>
#include <vector>

namespace koi::api {

namespace {

Quantity q(std::string_view text) {
  const auto parsed = Quantity::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
  return *parsed;
}

}  // namespace

TEST_CASE("the canonical form is the shortest whole one") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases{
      {"0", "0"},
      {"0m", "0"},
      {"1", "1"},
      {"1000m", "1"},
      {"0.5", "500m"},
      {".5", "500m"},
      {"1.", "1"},
      {"1.5", "1500m"},
      {"1000", "1k"},
      {"1500", "1500"},
      {"1024Mi", "1Gi"},
      {"1.5Gi", "1536Mi"},
      {"0.5Mi", "512Ki"},
      {"1025Ki", "1025Ki"},
      {"512", "512"},
      {"0.1Ki", "102400m"},
      {"1Ki", "1Ki"},
      {"1023Ki", "1023Ki"},
      {"12e6", "12e6"},
      {"1e3", "1e3"},
      {"1E3", "1e3"},
      {"1e2", "100"},
      {"1E", "1E"},
      {"-1500m", "-1500m"},
      {"+3k", "3k"},
      {"1n", "1n"},
      {"0.1n", "1n"},
      {"100u", "100u"},
      {"1.23456789", "1234567890n"},
      {"2Ei", "2Ei"},
      {"1e-3", "1e-3"},
      {"0.001Gi", "1073741824m"},
      {"4096Ki", "4Mi"},
      {"123456789", "123456789"},
      {"1000000k", "1G"},
      {"100e-3", "100e-3"},
  };
  for (const auto& [text, canonical] : cases) {
    INFO(text);
    CHECK(q(text).str() == canonical);
    CHECK(q(q(text).str()).str() == canonical);
    CHECK(q(q(text).str()) == q(text));
  }
}

TEST_CASE("what is no quantity is refused") {
  for (const std::string_view text :
       {"",   " ",     "1 ", "x", "1x",  "1KI", "1ki",           "1K", "--1", "1.1.1", "1e",
        "e1", "1e1.5", ".",  "+", "1mi", "0x1", "1e99999999999", "Mi", "1,5"}) {
    INFO(text);
    CHECK_FALSE(Quantity::parse(text));
  }
  CHECK_FALSE(Quantity::parse(std::string(300, '1')));
}

TEST_CASE("values round away from zero and are capped") {
  CHECK(q("1m").value() == 1);
  CHECK(q("1500m").value() == 2);
  CHECK(q("-1500m").value() == -2);
  CHECK(q("100u").milli_value() == 1);
  CHECK(q("1.5").milli_value() == 1500);
  CHECK(q("64Mi").value() == 67108864);
  CHECK(q("1e30").value() == std::numeric_limits<std::int64_t>::max());
  CHECK(q("8E").milli_value() == std::numeric_limits<std::int64_t>::max());
  CHECK(q("9223372036854775807").value() == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("sums and comparisons are exact") {
  CHECK(q("1") == q("1000m"));
  CHECK(q("1Ki") > q("1k"));
  CHECK(q("0.1") + q("0.2") == q("300m"));
  CHECK((q("1Gi") - q("512Mi")).str() == "512Mi");
  CHECK((Quantity() + q("1Gi")).str() == "1Gi");
  CHECK((q("100m") - q("200m")).is_negative());
  CHECK((q("100m") + q("900m")).str() == "1");
  CHECK(Quantity::from_milli(250).str() == "250m");
  CHECK(Quantity::from_value(1 << 30, Quantity::Format::binary_si).str() == "1Gi");
  CHECK(*canonical_quantity("0.25") == "250m");
}

}  // namespace koi::api
