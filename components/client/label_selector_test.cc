#include "client/label_selector.h"

#include <doctest/doctest.h>

namespace koi::client {

namespace {

bool matches(std::string_view selector, std::string_view labels) {
  const auto parsed = LabelSelector::parse(*json::parse(selector));
  REQUIRE(parsed.has_value());
  return parsed->matches(json::parse(labels)->as_object());
}

}  // namespace

TEST_CASE("selectors match labels as upstream does") {
  CHECK(matches(R"({})", R"({"a":"b"})"));
  CHECK_FALSE(matches(R"(null)", R"({"a":"b"})"));
  CHECK(matches(R"({"matchLabels":{"a":"b"}})", R"({"a":"b","c":"d"})"));
  CHECK_FALSE(matches(R"({"matchLabels":{"a":"b"}})", R"({"a":"x"})"));
  CHECK(matches(R"({"matchExpressions":[{"key":"a","operator":"In","values":["x","b"]}]})",
                R"({"a":"b"})"));
  CHECK(
      matches(R"({"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]})", R"({})"));
  CHECK_FALSE(matches(R"({"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]})",
                      R"({"a":"b"})"));
  CHECK(matches(R"({"matchExpressions":[{"key":"a","operator":"Exists"}]})", R"({"a":""})"));
  CHECK(matches(R"({"matchExpressions":[{"key":"z","operator":"DoesNotExist"}]})", R"({"a":""})"));
}

TEST_CASE("an unknown operator is an error") {
  const auto parsed =
      LabelSelector::parse(*json::parse(R"({"matchExpressions":[{"key":"a","operator":"Like"}]})"));
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().message == "'Like' is not a label selector operator");
}

}  // namespace koi::client
