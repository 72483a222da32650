#include "json/parse_strict.h"

#include <doctest/doctest.h>

namespace koi::json {

TEST_CASE("duplicate members are named with their path and the later one wins") {
  const auto got = parse_strict(
      R"({"spec":{"replicas":1,"replicas":2,"items":[{"a":1},{"a":1,"a":2,"a":3}]},"spec2":{}})");
  REQUIRE(got.has_value());
  CHECK(got->duplicates == std::vector<std::string>{"spec.replicas", "spec.items[1].a"});
  CHECK(int_at(got->value, {"spec", "replicas"}) == 2);
}

TEST_CASE("distinct members are no duplicates") {
  const auto got = parse_strict(R"({"a":{"b":1},"b":{"a":[{"b":1},{"b":1}]}})");
  REQUIRE(got.has_value());
  CHECK(got->duplicates.empty());
}

TEST_CASE("escapes in names do not hide a duplicate") {
  const auto got = parse_strict(R"({"a":1,"\u0061":2})");
  REQUIRE(got.has_value());
  CHECK(got->duplicates == std::vector<std::string>{"a"});
}

TEST_CASE("the report of duplicates is bounded") {
  std::string text = "{\"x\":1";
  for (int i = 0; i < 300; ++i) {
    const std::string name = ",\"k" + std::to_string(i) + "\":1";
    text += name + name;
  }
  const auto got = parse_strict(text + "}");
  REQUIRE(got.has_value());
  CHECK(got->duplicates.size() == duplicates_max);
}

TEST_CASE("what is no JSON stays an error") {
  CHECK_FALSE(parse_strict("{\"a\":1,}").has_value());
  CHECK_FALSE(parse_strict("").has_value());
  CHECK_FALSE(parse_strict("{} {}").has_value());
}

}  // namespace koi::json
