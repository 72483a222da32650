#include "client/lease.h"

#include <doctest/doctest.h>

#include "client/retry.h"
#include "client/test_world.h"

namespace koi::client {

namespace {

using namespace std::chrono_literals;

const Resource leases{.group = "coordination.k8s.io", .version = "v1", .plural = "leases"};

LeaseOptions options_of(std::string holder) {
  return {.name_space = "kube-system",
          .name = "leader",
          .holder = std::move(holder),
          .duration = 15s,
          .renew_every = 5s,
          .owner = std::nullopt};
}

}  // namespace

TEST_CASE("a heartbeat costs one request a renewal") {
  TestWorld world;
  LeaseKeeper keeper(world.api, world.clock, options_of("a"));
  world.tasks.spawn("lease", keeper.run());
  world.settle();
  CHECK(keeper.is_held());
  const auto before = world.api.requests();
  world.advance(50s);
  CHECK(world.api.requests() == before + 10);
  const auto lease = world.api.peek(leases, "kube-system/leader");
  REQUIRE(lease != nullptr);
  CHECK(json::string_at(lease->value(), {"spec", "renewTime"}) == "2026-01-01T00:00:50.000000Z");
  world.end();
}

TEST_CASE("a lease is taken over only after its holder stopped renewing") {
  TestWorld world;
  LeaseKeeper first(world.api, world.clock, options_of("a"));
  LeaseKeeper second(world.api, world.clock, options_of("b"));
  {
    base::TaskGroup group(world.io.get_executor());
    group.spawn("first", first.run());
    world.settle();
    world.tasks.spawn("second", second.run());
    world.advance(60s);
    CHECK(first.is_held());
    CHECK_FALSE(second.is_held());
    world.await(group.stop());
  }
  world.advance(10s);
  CHECK_FALSE(second.is_held());
  world.advance(15s);
  CHECK(second.is_held());
  CHECK_FALSE(first.is_held());
  const auto lease = world.api.peek(leases, "kube-system/leader");
  CHECK(json::int_at(lease->value(), {"spec", "leaseTransitions"}) == 1);
  world.end();
}

TEST_CASE("read, change, write begins again after a conflict") {
  TestWorld world;
  const Resource maps{.group = "", .version = "v1", .plural = "configmaps"};
  world.api.put(maps, *json::parse(R"({"metadata":{"name":"m","namespace":"d"},"data":{}})"));
  const ObjectRef ref{.resource = maps, .name_space = "d", .name = "m", .subresource = {}};
  int calls = 0;
  const Change change = [&](json::Value& object) {
    if (++calls == 1) {
      world.api.edit(maps, "d/m", [](json::Value& other) { json::set(other, {"data", "x"}, "1"); });
    }
    json::set(object, {"data", "y"}, "2");
    return true;
  };
  const auto written = world.await(modify(world.api, ref, change));
  REQUIRE(written.has_value());
  CHECK(calls == 2);
  CHECK(json::string_at((*written)->value(), {"data", "x"}) == "1");
  CHECK(json::string_at((*written)->value(), {"data", "y"}) == "2");
}

}  // namespace koi::client
