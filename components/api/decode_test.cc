#include "api/decode.h"

#include <doctest/doctest.h>

namespace koi::api {

namespace {

const Kind& kind_of(std::string_view api_version, std::string_view kind) {
  const Kind* found = builtin_schema().find(api_version, kind);
  REQUIRE(found != nullptr);
  return *found;
}

// The stored form, or the error.
std::string stored(std::string_view api_version, std::string_view kind, std::string_view text,
                   FieldValidation validation = FieldValidation::ignore) {
  const auto got = decode_body(text, kind_of(api_version, kind), validation);
  return got ? json::serialize(got->value) : got.error().message;
}

}  // namespace

TEST_CASE("the stored form is what a round trip through upstream's types gives") {
  CHECK(stored("v1", "ConfigMap", R"({"apiVersion":"v1","kind":"ConfigMap","metadata":
      {"name":"a","labels":null,"annotations":{},"creationTimestamp":null},"data":{"k":null},
      "Data":{"x":"y"}})") ==
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":""}})");
  CHECK(stored("v1", "Pod",
               R"({"metadata":{"name":"p"},"spec":{"hostNetwork":false,"hostUsers":false,
                  "terminationGracePeriodSeconds":0,"volumes":[{"name":"e","emptyDir":{}}],
                  "containers":[{"name":"c","tty":false,"env":[],
                     "resources":{"limits":{"cpu":0.5,"memory":"1024Mi"}}}]}})") ==
        R"({"metadata":{"name":"p"},"spec":{"hostUsers":false,"terminationGracePeriodSeconds":0,)"
        R"("volumes":[{"name":"e","emptyDir":{}}],"containers":[{"name":"c",)"
        R"("resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}]},"kind":"Pod",)"
        R"("apiVersion":"v1","status":{}})");
}

TEST_CASE("a body may leave out its kind but not contradict it") {
  CHECK(stored("v1", "Secret", R"({"kind":"ConfigMap","apiVersion":"v1"})")
            .find("does not match the expected kind") != std::string::npos);
  CHECK(stored("apps/v1", "Deployment", R"({"kind":"Deployment","apiVersion":"apps/v2"})") ==
        "the API version in the data (apps/v2) does not match the expected API version (apps/v1)");
  CHECK(stored("v1", "Secret", "[]") ==
        "Secret in version \"v1\" cannot be handled as a Secret: json: cannot unmarshal array into "
        "Go value of type v1.Secret");
}

TEST_CASE("type errors carry the words of Go's decoder") {
  CHECK(stored("apps/v1", "Deployment", R"({"spec":{"replicas":"3"}})") ==
        "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal "
        "string into Go struct field DeploymentSpec.spec.replicas of type int32");
  CHECK(stored("apps/v1", "Deployment", R"({"spec":{"replicas":3000000000}})") ==
        "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal "
        "number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32");
  CHECK(stored("v1", "Pod", R"({"spec":{"containers":[{"env":[{"name":"a","value":5}]}]}})") ==
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number into Go "
        "struct field EnvVar.spec.containers.env.value of type string");
  CHECK(stored("v1", "Pod", R"({"spec":{"containers":{}}})") ==
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal object into Go "
        "struct field PodSpec.spec.containers of type []v1.Container");
  CHECK(stored("v1", "Pod", R"({"metadata":{"labels":{"a":1}}})") ==
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number into Go "
        "struct field ObjectMeta.metadata.labels of type string");
  CHECK(stored("v1", "Secret", R"({"data":{"a":"%%"}})") ==
        "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input "
        "byte 0");
  CHECK(stored("v1", "Pod", R"({"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}})")
            .find("quantities must match the regular expression") != std::string::npos);
  CHECK(stored("v1", "Pod", R"({"metadata":{"deletionTimestamp":"soon"}})")
            .find("parsing time \"soon\"") != std::string::npos);
}

TEST_CASE("field validation reports or refuses unknown and duplicate fields") {
  constexpr std::string_view text =
      R"({"metadata":{"name":"d","name":"d"},"spec":{"replica":1,"template":{"spec":
         {"containers":[{"name":"c"},{"name":"b","imagee":"x"}]}}}})";
  const auto warned = decode_body(text, kind_of("apps/v1", "Deployment"), FieldValidation::warn);
  REQUIRE(warned.has_value());
  CHECK(warned->findings ==
        std::vector<std::string>{"unknown field \"spec.replica\"",
                                 "unknown field \"spec.template.spec.containers[1].imagee\"",
                                 "duplicate field \"metadata.name\""});
  CHECK(json::find(warned->value, {"spec", "replica"}) == nullptr);
  CHECK(stored("apps/v1", "Deployment", R"({"spec":{"foo":1}})", FieldValidation::strict) ==
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: "
        "unknown field \"spec.foo\"");
  CHECK(decode_body(text, kind_of("apps/v1", "Deployment"), FieldValidation::ignore)
            ->findings.empty());
}

TEST_CASE("findings are bounded") {
  std::string text = "{";
  for (int i = 0; i < 500; ++i) text += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  const auto got = decode_body(text + "}", kind_of("v1", "Pod"), FieldValidation::warn);
  REQUIRE(got.has_value());
  CHECK(got->findings.size() == strict_findings_max);
}

TEST_CASE("empty items cannot grow a small body into a large value") {
  std::string text = R"({"spec":{"containers":[{})";
  for (int i = 0; i < 200'000; ++i) text += ",{}";
  CHECK(stored("v1", "Pod", text + "]}}").ends_with("the object has too many parts"));
}

TEST_CASE("times take their canonical form") {
  const auto text = stored("coordination.k8s.io/v1", "Lease",
                           R"({"metadata":{"deletionTimestamp":"2026-01-02T05:04:05.9+02:00"},
                              "spec":{"renewTime":"2026-01-02T03:04:05Z"}})");
  CHECK(text.find("2026-01-02T03:04:05Z") != std::string::npos);
  CHECK(text.find("2026-01-02T03:04:05.000000Z") != std::string::npos);
}

TEST_CASE("what is no JSON is refused with its place") {
  const std::string message = stored("v1", "Pod", "{\"a\":");
  CHECK(
      message.starts_with("the object provided is unrecognized (must be of type Pod): couldn't "
                          "get version/kind; json parse error: line 1"));
  CHECK(message.find("(7b2261223a)") != std::string::npos);
}

}  // namespace koi::api
