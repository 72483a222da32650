#include "json/value.h"

#include <doctest/doctest.h>

namespace koi::json {

TEST_CASE("a parse error says where") {
  const auto parsed = parse("{\n \"a\": 1,\n \"b\": x}");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message.starts_with("line 3, column 7"));
  CHECK_FALSE(parse(""));
  CHECK_FALSE(parse("{} {}"));
  CHECK_FALSE(parse("{"));
  CHECK(parse(" {} \n"));
}

TEST_CASE("nesting is bounded") { CHECK_FALSE(parse(std::string(100'000, '['))); }

TEST_CASE("lookups tolerate what is missing or of another type") {
  Value root = *parse(R"({"a":{"b":"c","n":7,"t":true,"l":[1]}})");
  CHECK(string_at(root, {"a", "b"}) == "c");
  CHECK(string_at(root, {"a", "n"}).empty());
  CHECK(string_at(root, {"a", "b", "c"}).empty());
  CHECK(int_at(root, {"a", "n"}, 1) == 7);
  CHECK(int_at(root, {"a", "x"}, 1) == 1);
  CHECK(bool_at(root, {"a", "t"}));
  CHECK(array_at(root, {"a", "l"}).size() == 1);
  CHECK(array_at(root, {"a", "b"}).empty());
  set(root, {"a", "x", "y"}, 3);
  CHECK(int_at(root, {"a", "x", "y"}) == 3);
  erase(root, {"a", "x"});
  CHECK(find(root, {"a", "x"}) == nullptr);
}

}  // namespace koi::json
