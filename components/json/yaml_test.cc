#include "json/yaml.h"

#include <doctest/doctest.h>

namespace koi::json {

namespace {

std::string read(const char* text) {
  const auto value = parse_yaml(text);
  return value ? serialize(*value) : value.error().message;
}

}  // namespace

TEST_CASE("scalars are typed as Kubernetes' clients type them") {
  CHECK(read("a: 1\nb: \"1\"\nc: 0644\nd: 1.5\ne: true\nf: ~\ng: 1.2.3\nh: '0x1'\ni: yes") ==
        R"({"a":1,"b":"1","c":420,"d":1.5,"e":true,"f":null,"g":"1.2.3","h":"0x1","i":"yes"})");
  CHECK(read("") == "null");
  CHECK(read("{\"a\": [1, \"x\"]}") == R"({"a":[1,"x"]})");
  CHECK(read("a: -5\nb: +5\nc: 10Gi\nd: 1e3\ne: \"-\"") ==
        R"({"a":-5,"b":5,"c":"10Gi","d":1000,"e":"-"})");
}

TEST_CASE("anchors are followed, bombs are not") {
  CHECK(read("a: &x {n: 1}\nb: *x") == R"({"a":{"n":1},"b":{"n":1}})");
  CHECK(read("a: &x {n: 1}\nb:\n  <<: *x\n  m: 2") == R"({"a":{"n":1},"b":{"n":1,"m":2}})");
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    const std::string previous(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [*" + previous;
    for (int i = 0; i < 9; ++i) bomb += ",*" + previous;
    bomb += "]\n";
  }
  CHECK(read(bomb.c_str()).find("aliases expand to too much") != std::string::npos);
  CHECK(read(std::string(5000, '[').c_str()).find(":") != std::string::npos);
}

TEST_CASE("errors say the line") {
  CHECK(read("a: 1\nb: [").starts_with("line "));
  CHECK(read("a: 1\na: 2") == "line 2: key \"a\" already set in map");
}

TEST_CASE("what is written reads back the same") {
  const Value value = *parse(
      R"({"b":"x","a":{"list":[1,{"k":"v","l":["m"]},[1,2],[],{}],"t":"true","n":"12","e":"",
          "m":"one\ntwo\n","c":"a: b","d":"- x","q":"it's","u":"tab\there","w":" lead",
          "z":"line\nend"},
          "y":"no","x":null})");
  const std::string text = to_yaml(value);
  CHECK(*parse_yaml(text) == value);
  CHECK(to_yaml(*parse(R"({"b":1,"a":[{"x":1,"name":"z"}]})")) == "a:\n- name: z\n  x: 1\nb: 1\n");
}

TEST_CASE("streams hold several documents") {
  CHECK(parse_yaml_stream("a: 1\n---\n---\nb: 2\n")->size() == 2);
}

}  // namespace koi::json
