#include "api/protobuf.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "api/decode.h"
#include "api/protobuf_wire.h"

namespace koi::api {

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string round_trip(std::string_view json_text) {
  auto value = json::parse(json_text);
  REQUIRE(value.has_value());
  const auto bytes = encode_protobuf(*value, builtin_schema());
  if (!bytes) return bytes.error().message;
  const auto back = decode_protobuf(*bytes, builtin_schema());
  return back ? json::serialize(*back) : back.error().message;
}

std::string error_of(std::string_view bytes) {
  const auto got = decode_protobuf(bytes, builtin_schema());
  return got ? "decoded" : got.error().message;
}

}  // namespace

TEST_CASE("every published vector goes both ways without losing a byte") {
  const std::filesystem::path directory(KOI_SHARED_DIR "/codec-vectors");
  if (!std::filesystem::exists(directory)) {
    MESSAGE("skipped: no shared codec-vectors");
    return;
  }
  std::size_t pairs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".json") continue;
    CAPTURE(entry.path().stem().string());
    const std::string bytes =
        read_file(std::filesystem::path(entry.path()).replace_extension("pb"));
    const auto expected = json::parse(read_file(entry.path()));
    REQUIRE(expected.has_value());
    const auto decoded = decode_protobuf(bytes, builtin_schema());
    REQUIRE_MESSAGE(decoded.has_value(), decoded.error().message);
    // The same text, so the same order of members as upstream prints.
    CHECK(json::serialize(*decoded) == json::serialize(*expected));
    const auto again = encode_protobuf(*decoded, builtin_schema());
    REQUIRE(again.has_value());
    CHECK(*again == bytes);

    const Kind* kind = builtin_schema().find(json::string_at(*expected, {"apiVersion"}),
                                             json::string_at(*expected, {"kind"}));
    REQUIRE(kind != nullptr);
    const auto stored = decode_body(json::serialize(*expected), *kind, FieldValidation::strict);
    REQUIRE_MESSAGE(stored.has_value(), stored.error().message);
    CHECK(json::serialize(stored->value) == json::serialize(*expected));
    const auto from_json = encode_protobuf(stored->value, builtin_schema());
    REQUIRE(from_json.has_value());
    CHECK(*from_json == bytes);
    ++pairs;
  }
  CHECK(pairs >= 66);
}

TEST_CASE("zero values are written where Go writes them and absent ones stay absent") {
  CHECK(round_trip(R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"d"},)"
                   R"("spec":{"replicas":0,"selector":null,"template":{"metadata":{},"spec":)"
                   R"({"containers":null}},"strategy":{}},"status":{}})") ==
        R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"d"},)"
        R"("spec":{"replicas":0,"template":{"metadata":{},"spec":{}},"strategy":{}},"status":{}})");
  // ConfigMap a: metadata with all its strings, generation and creation time, nothing else.
  const auto bytes = encode_protobuf(
      *json::parse(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}})"),
      builtin_schema());
  REQUIRE(bytes.has_value());
  const auto envelope = read_envelope(*bytes);
  REQUIRE(envelope.has_value());
  CHECK(envelope->kind == "ConfigMap");
  const std::string_view message(
      "\x0a\x11\x0a\x01"
      "a\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00\x38\x00\x42\x00",
      19);
  CHECK(envelope->message == message);
}

TEST_CASE("lists and Status have a protobuf form") {
  CHECK(round_trip(R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},)"
                   R"("items":[]})") ==
        R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"}})");
  CHECK(round_trip(R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                   R"("message":"no","reason":"NotFound","details":{"name":"x","kind":"pods"},)"
                   R"("code":404})") ==
        R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
        R"("message":"no","reason":"NotFound","details":{"name":"x","kind":"pods"},"code":404})");
  CHECK(round_trip(R"({"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,)"
                   R"("propagationPolicy":"Foreground"})") ==
        R"({"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,)"
        R"("propagationPolicy":"Foreground"})");
}

TEST_CASE("forms that JSON flattens survive") {
  CHECK(
      round_trip(R"({"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1",)"
                 R"("metadata":{},"spec":{"group":"g","names":{"plural":"p","kind":"K"},)"
                 R"("scope":"Cluster","versions":[{"name":"v1","served":true,"storage":true,)"
                 R"("schema":{"openAPIV3Schema":{"type":"object","properties":{"a":)"
                 R"({"type":"array","items":{"type":"string"}},"b":{"type":"object",)"
                 R"("additionalProperties":{"type":"integer","maximum":5}},"c":{"type":"object",)"
                 R"("additionalProperties":true,"default":{"x":[1,2]},"enum":[1,"a",null]}}}}}]},)"
                 R"("status":{}})")
          .find(R"("additionalProperties":{"type":"integer","maximum":5})") != std::string::npos);
  CHECK(round_trip(R"({"kind":"Service","apiVersion":"v1","metadata":{},"spec":{"ports":)"
                   R"([{"port":80,"targetPort":"http"},{"port":81,"targetPort":8081}]},)"
                   R"("status":{"loadBalancer":{}}})")
            .find(R"([{"port":80,"targetPort":"http"},{"port":81,"targetPort":8081}])") !=
        std::string::npos);
}

TEST_CASE("a watch frame is length, event, envelope") {
  const std::string object = write_envelope("v1", "Pod", "");
  const std::string frame = protobuf_watch_frame("ADDED", object);
  CHECK(frame.size() == 4 + 2 + 5 + 2 + 2 + object.size());
  CHECK(frame.substr(0, 3) == std::string_view("\0\0\0", 3));
  CHECK(static_cast<std::size_t>(frame[3]) == frame.size() - 4);
  CHECK(frame.ends_with(object));
}

TEST_CASE("hostile messages are refused") {
  CHECK(error_of("{}").find("does not appear to be a protobuf message") != std::string::npos);
  CHECK(error_of(write_envelope("v1", "Nothing", "")) ==
        "no kind \"Nothing\" is registered for version \"v1\"");
  CHECK(error_of(write_envelope("v1", "Pod", "\x0a\x7f")) == "unexpected EOF");
  CHECK(error_of(write_envelope("v1", "Pod", "\x0a")) == "unexpected EOF");
  const std::string endless(11, '\xff');
  CHECK(error_of(write_envelope("v1", "Pod", endless)) == "unexpected EOF");
  CHECK(error_of(write_envelope("v1", "Pod", std::string_view("\x08\x01", 2))) ==
        "proto: illegal value for field metadata");
  CHECK(error_of(write_envelope("v1", "Pod", std::string_view("\x0b\x0c", 2))) == "unexpected EOF");
  CHECK(error_of(write_envelope("v1", "Pod", std::string_view("\x00\x00", 2))) == "unexpected EOF");
}

TEST_CASE("text that is no UTF-8 becomes the replacement character") {
  wire::ReverseWriter out;
  out.bytes(1, "a\xff");
  out.close(1, 0);
  const auto got = decode_protobuf(write_envelope("v1", "ConfigMap", out.take()), builtin_schema());
  REQUIRE(got.has_value());
  CHECK(json::string_at(*got, {"metadata", "name"}) == "a\xef\xbf\xbd");
}

TEST_CASE("nesting is bounded") {
  // JSONSchemaProps.not (28) within itself, below spec.versions.schema.openAPIV3Schema.
  std::string message;
  for (int i = 0; i < 300; ++i) {
    wire::ReverseWriter out;
    out.bytes(28, message);
    message = out.take();
  }
  for (const std::uint32_t number : {1U, 4U, 7U, 2U}) {
    wire::ReverseWriter out;
    out.bytes(number, message);
    message = out.take();
  }
  const auto bytes = write_envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", message);
  CHECK(error_of(bytes) == "proto: message nested too deep");
}

TEST_CASE("empty items cannot grow a small body into a large value") {
  // PodSpec.containers (2) in Pod.spec (2): a million empty ones in two megabytes.
  std::string containers;
  for (int i = 0; i < 1'000'001; ++i) containers += std::string_view("\x12\x00", 2);
  wire::ReverseWriter out;
  out.bytes(2, containers);
  CHECK(error_of(write_envelope("v1", "Pod", out.take())) ==
        "proto: message holds too many values");
}

TEST_CASE("damaged messages never decode into what cannot be encoded") {
  const std::filesystem::path directory(KOI_SHARED_DIR "/codec-vectors");
  if (!std::filesystem::exists(directory)) {
    MESSAGE("skipped: no shared codec-vectors");
    return;
  }
  std::minstd_rand random(20260102);
  std::size_t decoded = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".pb") continue;
    const std::string bytes = read_file(entry.path());
    for (int round = 0; round < 40; ++round) {
      std::string damaged = bytes;
      for (int i = 0; i < 3; ++i) {
        damaged[4 + random() % (damaged.size() - 4)] = static_cast<char>(random());
      }
      if (random() % 4 == 0) damaged.resize(4 + random() % (damaged.size() - 4));
      const auto got = decode_protobuf(damaged, builtin_schema());
      if (!got) continue;
      ++decoded;
      CHECK(encode_protobuf(*got, builtin_schema()).has_value());
    }
  }
  CHECK(decoded > 0);
}

}  // namespace koi::api
