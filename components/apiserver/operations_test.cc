#include "apiserver/operations.h"

#include <doctest/doctest.h>

#include "apiserver/test_world.h"

using namespace koi;
using namespace koi::apiserver;
using testing_world::World;

TEST_CASE("a config map is created, read, listed and removed") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  const auto made = world.run(
      world.operations.create(call, world.json(R"({"metadata":{"name":"a"},"data":{"x":"1"}})")));
  REQUIRE(made);
  CHECK(made->object->resource_version() != "");
  CHECK(made->object->kind() == "ConfigMap");
  Call one = call;
  one.name = "a";
  const auto read = world.operations.get(one);
  REQUIRE(read);
  CHECK((*read)->bytes().starts_with(
      R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a")"));
  const auto listed = world.operations.list(call, {});
  REQUIRE(listed);
  CHECK(listed->items.size() == 1);
  const auto removed = world.run(world.operations.remove(one, {}));
  REQUIRE(removed);
  CHECK(removed->finished);
  CHECK_FALSE(world.operations.get(one));
}
