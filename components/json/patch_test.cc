#include <doctest/doctest.h>

#include "json/json_patch.h"
#include "json/merge_patch.h"

namespace koi::json {

namespace {

std::string patched(const char* target, const char* patch) {
  Value value = *parse(target);
  const auto done = apply_json_patch(value, *parse(patch));
  return done ? serialize(value) : done.error().message;
}

std::string merged(const char* target, const char* patch) {
  Value value = *parse(target);
  apply_merge_patch(value, *parse(patch));
  return serialize(value);
}

}  // namespace

TEST_CASE("JSON patch operations") {
  CHECK(patched(R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])") == R"({"a":1,"b":2})");
  CHECK(patched(R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])") ==
        R"({"a":[1,2,3]})");
  CHECK(patched(R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])") == R"({"a":[1,2]})");
  CHECK(patched(R"({"a":1,"b":2})", R"([{"op":"remove","path":"/a"}])") == R"({"b":2})");
  CHECK(patched(R"({"a":1})", R"([{"op":"replace","path":"/a","value":{"x":1}}])") ==
        R"({"a":{"x":1}})");
  CHECK(patched(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])") ==
        R"({"a":{},"c":1})");
  CHECK(patched(R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/b"}])") ==
        R"({"a":[1],"b":[1]})");
  CHECK(patched(R"({"a/b":1,"m~n":2})",
                R"([{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/m~0n"}])") == "{}");
}

TEST_CASE("a JSON patch applies whole or not at all, and says which operation fails") {
  CHECK(patched(R"({"a":1})",
                R"([{"op":"add","path":"/b","value":2},{"op":"test","path":"/a","value":2}])") ==
        "operation 1: testing value '/a' failed");
  CHECK(patched("{}", R"([{"op":"remove","path":"/a"}])") == "operation 0: '/a' does not exist");
  CHECK(patched(R"({"a":[]})", R"([{"op":"add","path":"/a/01","value":1}])") ==
        "operation 0: '01' is not an array index");
  CHECK(patched("{}", R"([{"op":"burn","path":"/a"}])") == "operation 0: unknown operation 'burn'");
  CHECK(patched("{}", R"({"op":"add"})") == "a JSON patch is an array of operations");
}

TEST_CASE("a patch cannot grow a value without bound") {
  std::string copies = "[";
  for (int i = 0; i < 60; ++i) {
    copies += std::string(i > 0 ? "," : "") + R"({"op":"copy","from":"/a","path":"/a/-"})";
  }
  CHECK(patched(R"({"a":[1,2,3]})", (copies + "]").c_str())
            .ends_with("the copy operations add too much"));
  std::string moves = "[";
  for (int i = 0; i < 80; ++i) {
    moves += std::string(i > 0 ? "," : "") + R"({"op":"add","path":"/b","value":{"c":{}}},)" +
             R"({"op":"move","from":"/a","path":"/b/c/a"},{"op":"move","from":"/b","path":"/a"})";
  }
  CHECK(patched(R"({"a":{}})", (moves + "]").c_str()).ends_with("would nest too deeply"));
  std::string wide = R"([{"op":"add","path":"/b","value":[]})";
  for (int i = 0; i < 9'000; ++i) wide += R"(,{"op":"copy","from":"/a","path":"/b/-"})";
  const std::string target = R"({"a":")" + std::string(1'000, 'x') + R"("})";
  CHECK(
      patched(target.c_str(), (wide + "]").c_str()).ends_with("the copy operations add too much"));
}

TEST_CASE("merge patches remove with null and replace arrays") {
  CHECK(merged(R"({"a":{"b":1,"c":2}})", R"({"a":{"b":null,"d":3}})") == R"({"a":{"c":2,"d":3}})");
  CHECK(merged(R"({"a":[1,2]})", R"({"a":[3]})") == R"({"a":[3]})");
  CHECK(merged(R"({"a":"x"})", R"({"a":{"b":{"c":null}}})") == R"({"a":{"b":{}}})");
}

}  // namespace koi::json
