#include "controllers/controller_manager.h"

#include <doctest/doctest.h>

#include "client/object_key.h"
#include "client/test_world.h"
#include "controllers/kinds.h"

namespace koi::controllers {

namespace {

std::vector<client::ResourceInfo> catalog() {
  return {{.resource = kinds::pods, .kind = "Pod"},
          {.resource = kinds::config_maps, .kind = "ConfigMap"},
          {.resource = kinds::service_accounts, .kind = "ServiceAccount"},
          {.resource = kinds::replica_sets, .kind = "ReplicaSet"},
          {.resource = kinds::deployments, .kind = "Deployment"},
          {.resource = kinds::namespaces, .kind = "Namespace", .namespaced = false},
          {.resource = kinds::nodes, .kind = "Node", .namespaced = false}};
}

base::Task<> create(client::ApiClient& api, client::ObjectRef ref, json::Value object) {
  const auto created = co_await api.create(ref, std::move(object));
  CHECK(created.has_value());
}

}  // namespace

TEST_CASE("all controllers together: a namespace with a Deployment comes and goes") {
  client::TestWorld world;
  {
    ControllerManagerOptions options{
        .catalog = catalog, .root_ca_pem = "PEM", .cluster_cidrs = {"10.42.0.0/16"}};
    ControllerManager manager(world.api, world.clock, world.random, world.io.get_executor(),
                              std::move(options));
    REQUIRE(manager.start().has_value());
    world.settle();
    world.await(create(world.api, {.resource = kinds::namespaces, .name = "d"},
                       *json::parse(R"({"kind":"Namespace","metadata":{"name":"d"}})")));
    world.await(create(
        world.api, {.resource = kinds::deployments, .name_space = "d", .name = "web"},
        *json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},
            "spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":
            {"labels":{"app":"web"}},"spec":{"containers":[{"name":"c"}]}}}})")));
    world.settle();
    CHECK(world.api.peek_all(kinds::pods).size() == 2);
    CHECK(world.api.peek(kinds::service_accounts, "d/default") != nullptr);
    const client::ObjectRef name_space{.resource = kinds::namespaces, .name = "d"};
    CHECK(world.await(world.api.remove(name_space, {})).has_value());
    world.advance(std::chrono::seconds(10));
    CHECK(world.api.peek(kinds::namespaces, "d") == nullptr);
    CHECK(world.api.peek_all(kinds::pods).empty());
    CHECK(world.api.peek_all(kinds::deployments).empty());
    CHECK(world.api.peek_all(kinds::config_maps).empty());
    const auto before = world.api.requests();
    world.advance(std::chrono::hours(24));
    CHECK(world.api.requests() == before);
    world.await(manager.stop());
  }
}

TEST_CASE("a cluster range that is none is refused") {
  client::TestWorld world;
  ControllerManagerOptions options{.cluster_cidrs = {"10.42.0.0"}};
  ControllerManager manager(world.api, world.clock, world.random, world.io.get_executor(),
                            std::move(options));
  const auto started = manager.start();
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().message == "cluster address range: '10.42.0.0' is not an address range");
}

}  // namespace koi::controllers
