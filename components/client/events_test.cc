#include "client/events.h"

#include <doctest/doctest.h>

#include "client/test_world.h"

namespace koi::client {

namespace {

const Resource events{.group = "", .version = "v1", .plural = "events"};

json::Value pod_reference() {
  return *json::parse(R"({"kind":"Pod","namespace":"default","name":"web","uid":"u1"})");
}

struct EventWorld : TestWorld {
  EventRecorder recorder{api, clock, random, tasks, "kubelet", "node1"};

  ~EventWorld() { end(); }
};

}  // namespace

TEST_CASE("an event has the shape that kubectl reads") {
  EventWorld world;
  world.recorder.record(pod_reference(), EventType::normal, "Pulled", "Image is there");
  world.settle();
  const auto all = world.api.peek_all(events);
  REQUIRE(all.size() == 1);
  const auto& event = all[0]->value();
  CHECK(all[0]->name().starts_with("web."));
  CHECK(all[0]->name_space() == "default");
  CHECK(json::string_at(event, {"involvedObject", "uid"}) == "u1");
  CHECK(json::string_at(event, {"reason"}) == "Pulled");
  CHECK(json::string_at(event, {"message"}) == "Image is there");
  CHECK(json::string_at(event, {"source", "component"}) == "kubelet");
  CHECK(json::string_at(event, {"source", "host"}) == "node1");
  CHECK(json::string_at(event, {"type"}) == "Normal");
  CHECK(json::int_at(event, {"count"}) == 1);
}

TEST_CASE("a repeated event raises the count of the first") {
  EventWorld world;
  for (int i = 0; i < 5; ++i) {
    world.recorder.record(pod_reference(), EventType::warning, "BackOff", "restarting");
    world.advance(std::chrono::seconds(10));
  }
  const auto all = world.api.peek_all(events);
  REQUIRE(all.size() == 1);
  CHECK(json::int_at(all[0]->value(), {"count"}) == 5);
  CHECK(json::string_at(all[0]->value(), {"firstTimestamp"}) == "2026-01-01T00:00:00Z");
  CHECK(json::string_at(all[0]->value(), {"lastTimestamp"}) == "2026-01-01T00:00:40Z");
}

TEST_CASE("similar events are combined and a flood is cut off") {
  EventWorld world;
  for (int i = 0; i < 20; ++i) {
    world.recorder.record(pod_reference(), EventType::warning, "Failed",
                          "attempt " + std::to_string(i));
  }
  world.settle();
  auto all = world.api.peek_all(events);
  CHECK(all.size() == 11);
  for (int i = 0; i < 100; ++i) {
    world.recorder.record(pod_reference(), EventType::warning, "Other" + std::to_string(i), "x");
  }
  world.settle();
  CHECK(world.api.peek_all(events).size() == 11 + 5);
}

TEST_CASE("an event of a cluster-scoped object lives in default, and one that expired is remade") {
  EventWorld world;
  const auto node = *json::parse(R"({"kind":"Node","name":"n1","uid":"n1"})");
  world.recorder.record(node, EventType::normal, "Starting", "now");
  world.settle();
  auto all = world.api.peek_all(events);
  REQUIRE(all.size() == 1);
  CHECK(all[0]->name_space() == "default");
  world.api.erase(events, "default/" + std::string(all[0]->name()));
  world.recorder.record(node, EventType::normal, "Starting", "now");
  world.settle();
  all = world.api.peek_all(events);
  REQUIRE(all.size() == 1);
  CHECK(json::int_at(all[0]->value(), {"count"}) == 1);
}

}  // namespace koi::client
