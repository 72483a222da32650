#include "api/strategic_merge.h"

#include <doctest/doctest.h>

#include <string>

namespace koi::api {

namespace {

std::string merge(std::string_view api_version, std::string_view kind, std::string_view original,
                  std::string_view patch) {
  const Kind* found = builtin_schema().find(api_version, kind);
  REQUIRE(found != nullptr);
  const auto merged =
      apply_strategic_merge(*json::parse(original), *json::parse(patch), *found->type);
  return merged ? json::serialize(*merged) : "error: " + merged.error().message;
}

std::string merge_pod(std::string_view original, std::string_view patch) {
  return merge("v1", "Pod", original, patch);
}

}  // namespace

TEST_CASE("maps merge and null removes") {
  CHECK(merge_pod(R"({"metadata":{"labels":{"a":"1","b":"2"},"name":"x"}})",
                  R"({"metadata":{"labels":{"a":null,"c":"3"}}})") ==
        R"({"metadata":{"labels":{"b":"2","c":"3"},"name":"x"}})");
  CHECK(merge_pod(R"({"metadata":{}})", R"({"spec":{"nodeName":null,"hostname":"h"}})") ==
        R"({"metadata":{},"spec":{"hostname":"h"}})");
  CHECK(merge("v1", "ConfigMap", R"({"data":{"a":"1"}})", R"({"data":null})") == "{}");
}

TEST_CASE("lists merge by their key") {
  CHECK(
      merge_pod(R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})",
                R"({"spec":{"containers":[{"name":"b","image":"2"},{"name":"c","image":"3"}]}})") ==
      R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},)"
      R"({"name":"c","image":"3"}]}})");
  CHECK(merge_pod(
            R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"x"}]}]}})",
            R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"y"},)"
            R"({"containerPort":81}]}]}})") ==
        R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"y"},)"
        R"({"containerPort":81}]}]}})");
  CHECK(merge_pod(R"({"spec":{"containers":[{"name":"a"}]}})",
                  R"({"spec":{"containers":[{"image":"2"}]}})")
            .starts_with("error: map: "));
}

TEST_CASE("lists without a key are replaced") {
  CHECK(merge_pod(R"({"spec":{"tolerations":[{"key":"a"}]}})",
                  R"({"spec":{"tolerations":[{"key":"b"}]}})") ==
        R"({"spec":{"tolerations":[{"key":"b"}]}})");
  CHECK(merge_pod(R"({"spec":{"containers":[{"name":"a","args":["1","2"]}]}})",
                  R"({"spec":{"containers":[{"name":"a","args":["3"]}]}})") ==
        R"({"spec":{"containers":[{"name":"a","args":["3"]}]}})");
}

TEST_CASE("scalar lists that merge take each value once") {
  CHECK(merge_pod(R"({"metadata":{"finalizers":["a","b"]}})",
                  R"({"metadata":{"finalizers":["b","c"]}})") ==
        R"({"metadata":{"finalizers":["a","b","c"]}})");
  CHECK(merge_pod(R"({"metadata":{"finalizers":["a","b"]}})",
                  R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})") ==
        R"({"metadata":{"finalizers":["b"]}})");
  CHECK(merge_pod(R"({"metadata":{"finalizers":["a","b"]}})",
                  R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],)"
                  R"("$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}})") ==
        R"({"metadata":{"finalizers":["c","b"]}})");
}

TEST_CASE("directives delete, replace and merge") {
  const std::string_view two = R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})";
  CHECK(merge_pod(two, R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})") ==
        R"({"spec":{"containers":[{"name":"b"}]}})");
  CHECK(merge_pod(two, R"({"spec":{"containers":[{"$patch":"replace"},{"name":"c"}]}})") ==
        R"({"spec":{"containers":[{"name":"c"}]}})");
  CHECK(merge_pod(two, R"({"spec":{"$patch":"replace","hostname":"h"}})") ==
        R"({"spec":{"hostname":"h"}})");
  CHECK(merge_pod(two, R"({"spec":{"$patch":"delete"}})") == R"({"spec":{}})");
  CHECK(merge_pod(two, R"({"spec":{"$patch":"merge","hostname":"h"}})") ==
        R"({"spec":{"containers":[{"name":"a"},{"name":"b"}],"hostname":"h"}})");
  CHECK(merge_pod(two, R"({"spec":{"$patch":"burn"}})")
            .starts_with(R"(error: unknown patch type: "burn" in map: )"));
  CHECK(merge_pod(R"({"spec":{}})",
                  R"({"spec":{"volumes":[{"name":"a","$patch":"delete"},{"name":"b"}]}})") ==
        R"({"spec":{"volumes":[{"name":"b"}]}})");
}

TEST_CASE("retained keys drop the other branch of a union") {
  CHECK(merge("apps/v1", "Deployment",
              R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})",
              R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})") ==
        R"({"spec":{"strategy":{"type":"Recreate"}}})");
  CHECK(merge_pod(R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
                  R"({"spec":{"volumes":[{"$retainKeys":["name","hostPath"],"name":"v",)"
                  R"("hostPath":{"path":"/x"}}]}})") ==
        R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}})");
  CHECK(merge("apps/v1", "Deployment", R"({"spec":{"strategy":{}}})",
              R"({"spec":{"strategy":{"$retainKeys":["type"],"rollingUpdate":{}}}})")
            .starts_with("error: "));
}

TEST_CASE("kubectl apply sends an order with its lists") {
  const std::string_view original =
      R"({"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:1",)"
      R"("imagePullPolicy":"Always"},{"name":"injected","image":"side"}]}}}})";
  CHECK(merge("apps/v1", "Deployment", original,
              R"({"metadata":{"annotations":{"a":"b"}},"spec":{"template":{"spec":{)"
              R"("$setElementOrder/containers":[{"name":"web"}],)"
              R"("containers":[{"image":"nginx:2","name":"web"}]}}}})") ==
        R"({"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:2",)"
        R"("imagePullPolicy":"Always"},{"name":"injected","image":"side"}]}}},)"
        R"("metadata":{"annotations":{"a":"b"}}})");
  CHECK(merge("apps/v1", "Deployment", original,
              R"({"spec":{"template":{"spec":{)"
              R"("$setElementOrder/containers":[{"name":"new"},{"name":"web"}],)"
              R"("containers":[{"name":"new","image":"n"}]}}}})") ==
        R"({"spec":{"template":{"spec":{"containers":[{"name":"injected","image":"side"},)"
        R"({"name":"new","image":"n"},{"name":"web","image":"nginx:1",)"
        R"("imagePullPolicy":"Always"}]}}}})");
  CHECK(merge("v1", "Service", R"({"spec":{"ports":[{"port":80,"targetPort":80},{"port":443}]}})",
              R"({"spec":{"$setElementOrder/ports":[{"port":443},{"port":8080}],)"
              R"("ports":[{"port":8080},{"port":80,"$patch":"delete"}]}})") ==
        R"({"spec":{"ports":[{"port":443},{"port":8080}]}})");
  CHECK(merge_pod(R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
                  R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}})") ==
        R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})");
  CHECK(merge_pod(R"({"spec":{"containers":[{"name":"a"}]}})",
                  R"({"spec":{"$setElementOrder/containers":[{"name":"a"}],)"
                  R"("containers":[{"name":"z"}]}})")
            .starts_with("error: The order in patch list:"));
}

TEST_CASE("status conditions merge by type") {
  CHECK(merge("v1", "Node",
              R"({"status":{"conditions":[{"type":"Ready","status":"False"}],)"
              R"("addresses":[{"type":"InternalIP","address":"1"}]}})",
              R"({"status":{"$setElementOrder/conditions":[{"type":"Ready"}],)"
              R"("conditions":[{"status":"True","type":"Ready"}]}})") ==
        R"({"status":{"conditions":[{"type":"Ready","status":"True"}],)"
        R"("addresses":[{"type":"InternalIP","address":"1"}]}})");
}

TEST_CASE("patches that are no objects are refused") {
  CHECK(merge_pod("{}", "[]").starts_with("error: "));
  CHECK(merge_pod(R"({"metadata":{}})", R"({"metadata":{"$deleteFromPrimitiveList/finalizers":3}})")
            .starts_with("error: "));
  CHECK(merge_pod(R"({"spec":{"volumes":[]}})", R"({"spec":{"volumes":[[1]]}})")
            .starts_with("error: "));
}

}  // namespace koi::api
