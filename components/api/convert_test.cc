#include "api/convert.h"

#include <doctest/doctest.h>

namespace koi::api {

namespace {

const Kind& kind_of(std::string_view api_version, std::string_view kind) {
  const Kind* found = builtin_schema().find(api_version, kind);
  REQUIRE(found != nullptr);
  return *found;
}

}  // namespace

TEST_CASE("an event has the same content under both groups") {
  const Kind& core = kind_of("v1", "Event");
  const Kind& events = kind_of("events.k8s.io/v1", "Event");
  CHECK(&storage_kind(events, builtin_schema()) == &core);
  CHECK(&storage_kind(core, builtin_schema()) == &core);
  const auto original = json::parse(
      R"({"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},
         "eventTime":"2026-01-02T03:04:05.000000Z","reason":"Started","note":"hello",
         "regarding":{"kind":"Pod","name":"p"},"reportingController":"c","type":"Normal",
         "deprecatedCount":2})");
  auto value = *original;
  convert(value, events, core);
  CHECK(json::string_at(value, {"apiVersion"}) == "v1");
  CHECK(json::string_at(value, {"message"}) == "hello");
  CHECK(json::string_at(value, {"involvedObject", "name"}) == "p");
  CHECK(json::string_at(value, {"reportingComponent"}) == "c");
  CHECK(json::int_at(value, {"count"}) == 2);
  CHECK(json::find(value, {"note"}) == nullptr);
  convert(value, core, events);
  CHECK(value == *original);
}

TEST_CASE("an autoscaler loses nothing on the way through its first version") {
  const Kind& v2 = kind_of("autoscaling/v2", "HorizontalPodAutoscaler");
  const Kind& v1 = kind_of("autoscaling/v1", "HorizontalPodAutoscaler");
  CHECK(&storage_kind(v1, builtin_schema()) == &v2);
  const auto original = json::parse(
      R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},
         "spec":{"maxReplicas":3,"metrics":[
           {"type":"Resource","resource":{"name":"cpu",
             "target":{"averageUtilization":60,"type":"Utilization"}}},
           {"type":"Resource","resource":{"name":"memory",
             "target":{"type":"AverageValue","averageValue":"1Gi"}}}],
           "behavior":{"scaleDown":{"selectPolicy":"Max"}}},
         "status":{"conditions":[{"type":"AbleToScale","status":"True"}],
           "currentMetrics":[{"type":"Resource","resource":{"name":"cpu",
             "current":{"averageUtilization":42}}}]}})");
  auto value = *original;
  convert(value, v2, v1);
  CHECK(json::int_at(value, {"spec", "targetCPUUtilizationPercentage"}) == 60);
  CHECK(json::int_at(value, {"status", "currentCPUUtilizationPercentage"}) == 42);
  CHECK(json::find(value, {"spec", "metrics"}) == nullptr);
  CHECK(json::find(value, {"status", "currentMetrics"}) == nullptr);
  CHECK(json::object_at(value, {"metadata", "annotations"}).size() == 3);
  convert(value, v1, v2);
  CHECK(value == *original);
}

TEST_CASE("annotations that are no JSON of the right form are dropped, not trusted") {
  auto value = *json::parse(
      R"({"metadata":{"annotations":{"autoscaling.alpha.kubernetes.io/metrics":"{",
         "autoscaling.alpha.kubernetes.io/behavior":"[]"}},"spec":{}})");
  convert(value, kind_of("autoscaling/v1", "HorizontalPodAutoscaler"),
          kind_of("autoscaling/v2", "HorizontalPodAutoscaler"));
  CHECK(json::object_at(value, {"spec"}).empty());
  CHECK(json::find(value, {"metadata", "annotations"}) == nullptr);
}

TEST_CASE("other kinds are their own storage form") {
  const Kind& pod = kind_of("v1", "Pod");
  CHECK(&storage_kind(pod, builtin_schema()) == &pod);
}

}  // namespace koi::api
