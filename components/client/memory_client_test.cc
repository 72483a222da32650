#include "client/memory_client.h"

#include <doctest/doctest.h>

#include "client/memory_objects.h"
#include "client/test_world.h"

namespace koi::client {

namespace {

const Resource pods{.group = "", .version = "v1", .plural = "pods"};

json::Value pod() {
  return *json::parse(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"web-"},"spec":{"a":1}})");
}

const ObjectRef anywhere{.resource = pods, .name_space = "d", .name = {}, .subresource = {}};

ObjectRef ref_to(const api::ObjectPtr& object, std::string subresource = {}) {
  return {.resource = pods,
          .name_space = "d",
          .name = std::string(object->name()),
          .subresource = std::move(subresource)};
}

}  // namespace

TEST_CASE("the memory API keeps spec and status apart and detects conflicts") {
  TestWorld world;
  const auto created = *world.await(world.api.create(anywhere, pod()));
  CHECK(created->name().starts_with("web-"));
  CHECK(created->name().size() == 9);
  json::Value changed = created->value();
  json::set(changed, {"spec", "a"}, 2);
  json::set(changed, {"status", "phase"}, "Running");
  const auto updated = *world.await(world.api.update(ref_to(created), changed));
  CHECK(json::int_at(updated->value(), {"spec", "a"}) == 2);
  CHECK(json::string_at(updated->value(), {"status", "phase"}) == "Pending");
  CHECK(json::int_at(updated->value(), {"metadata", "generation"}) == 2);
  const auto stale = world.await(world.api.update(ref_to(created), changed));
  REQUIRE_FALSE(stale.has_value());
  CHECK(stale.error().code == base::Code::conflict);
  json::Value status = updated->value();
  json::set(status, {"status", "phase"}, "Running");
  json::set(status, {"spec", "a"}, 3);
  const auto reported = *world.await(world.api.update(ref_to(created, "status"), status));
  CHECK(json::int_at(reported->value(), {"spec", "a"}) == 2);
  CHECK(json::string_at(reported->value(), {"status", "phase"}) == "Running");
}

TEST_CASE("the memory API deletes in two steps where something holds the object") {
  TestWorld world;
  const auto created = *world.await(world.api.create(anywhere, pod()));
  json::Value target = *json::parse(R"({"target":{"name":"n1"}})");
  REQUIRE(world.await(world.api.create(ref_to(created, "binding"), target)).has_value());
  REQUIRE(world.await(world.api.remove(ref_to(created), {})).has_value());
  CHECK(world.api.peek_all(pods)[0]->is_terminating());
  const DeleteOptions now{.grace_period_seconds = 0};
  REQUIRE(world.await(world.api.remove(ref_to(created), now)).has_value());
  CHECK(world.api.peek_all(pods).empty());
}

TEST_CASE("selectors of the memory API") {
  const auto value =
      *json::parse(R"({"metadata":{"name":"x","labels":{"a":"b"}},"spec":{"nodeName":"n"}})");
  CHECK(matches_labels(value, "a=b"));
  CHECK(matches_labels(value, "a"));
  CHECK_FALSE(matches_labels(value, "a=b,c"));
  CHECK(matches_labels(value, "a!=c"));
  CHECK(matches_fields(value, "spec.nodeName=n,metadata.name=x"));
  CHECK_FALSE(matches_fields(value, "status.phase=Running"));
}

}  // namespace koi::client
