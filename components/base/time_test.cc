#include "base/time.h"

#include <doctest/doctest.h>

namespace koi::base {

TEST_CASE("times are written as Kubernetes writes them") {
  const WallTime time{std::chrono::microseconds{1'767'323'045'000'006}};
  CHECK(format_time(time) == "2026-01-02T03:04:05Z");
  CHECK(format_micro_time(time) == "2026-01-02T03:04:05.000006Z");
}

TEST_CASE("times are read with fraction and offset") {
  CHECK(parse_time("2026-01-02T03:04:05Z")->time_since_epoch().count() == 1'767'323'045'000'000);
  CHECK(parse_time("2026-01-02T03:04:05.5Z")->time_since_epoch().count() == 1'767'323'045'500'000);
  CHECK(parse_time("2026-01-02T05:04:05+02:00") == parse_time("2026-01-02T03:04:05Z"));
}

TEST_CASE("the first and the last year go both ways") {
  for (const char* text :
       {"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    const auto parsed = parse_time(text);
    REQUIRE(parsed);
    CHECK(format_time(*parsed) == text);
  }
}

TEST_CASE("what is no time is refused with its text") {
  for (const char* text :
       {"", "2026", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05", "2026-02-30T00:00:00Z",
        "2026-01-02 03:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02T03:04:05Zx",
        "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"}) {
    const auto parsed = parse_time(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find(text) != std::string::npos);
  }
}

}  // namespace koi::base
