#include <doctest/doctest.h>

#include "controllers/cidr_pool.h"
#include "controllers/controllers_world.h"
#include "controllers/endpoints_controller.h"
#include "controllers/namespace_fixture.h"
#include "controllers/node_ipam.h"

namespace koi::controllers {

namespace {

using client::text;

struct ServiceWorld : ControllersWorld {
  ServiceWorld() {
    add<EndpointsController>();
    start();
  }

  void pod(std::string_view name, std::string_view ip, bool ready) {
    json::Value value = *json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":
        "d","labels":{"app":"web"}},"spec":{"nodeName":"n1","containers":[{"ports":[{"name":"http",
        "containerPort":8080}]}]},"status":{"phase":"Running"}})");
    json::set(value, {"metadata", "name"}, text(name));
    json::set(value, {"status", "podIP"}, text(ip));
    json::set(value, {"status", "podIPs"}, json::Array{json::Object{{"ip", ip}}});
    json::set(value, {"status", "conditions"},
              json::Array{json::Object{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
    api.put(kinds::pods, std::move(value));
    settle();
  }

  // "address ready" of every endpoint in every slice.
  std::string endpoints() {
    std::string all;
    for (const auto& slice : api.peek_all(kinds::endpoint_slices)) {
      for (const auto& each : json::array_at(slice->value(), {"endpoints"})) {
        all += std::string(json::string_at(json::array_at(each, {"addresses"})[0], {})) +
               (json::bool_at(each, {"conditions", "ready"}) ? " ready;" : " unready;");
      }
    }
    return all;
  }
};

constexpr std::string_view web_service = R"({"apiVersion":"v1","kind":"Service",
    "metadata":{"name":"web","namespace":"d"},"spec":{"clusterIP":"10.43.0.9",
    "selector":{"app":"web"},"ports":[{"port":80,"targetPort":"http","protocol":"TCP"}]}})";

std::vector<std::string> ranges(ControllersWorld& world, std::string_view node) {
  std::vector<std::string> found;
  const auto value = world.read(kinds::nodes, node);
  for (const auto& each : json::array_at(value, {"spec", "podCIDRs"})) {
    found.emplace_back(json::string_at(each, {}));
  }
  return found;
}

}  // namespace

TEST_CASE("a Service's endpoints follow its pods") {
  ServiceWorld world;
  world.create(kinds::services, web_service);
  world.settle();
  CHECK(world.api.peek_all(kinds::endpoint_slices).size() == 1);
  world.pod("a", "10.42.0.2", true);
  world.pod("b", "10.42.0.3", false);
  CHECK(world.endpoints() == "10.42.0.2 ready;10.42.0.3 unready;");
  const auto slice = world.api.peek_all(kinds::endpoint_slices)[0];
  CHECK(slice->name().starts_with("web-"));
  CHECK(json::int_at(json::array_at(slice->value(), {"ports"})[0], {"port"}) == 8080);
  CHECK(json::string_at(slice->value(), {"addressType"}) == "IPv4");
  CHECK(json::string_at(slice->value(), {"metadata", "labels", "kubernetes.io/service-name"}) ==
        "web");
  const auto endpoints = world.read(kinds::endpoints, "d/web");
  const auto& subsets = json::array_at(endpoints, {"subsets"});
  REQUIRE(subsets.size() == 1);
  CHECK(json::array_at(subsets[0], {"addresses"}).size() == 1);
  CHECK(json::array_at(subsets[0], {"notReadyAddresses"}).size() == 1);
  world.pod("b", "10.42.0.3", true);
  CHECK(world.endpoints() == "10.42.0.2 ready;10.42.0.3 ready;");
  world.api.erase(kinds::pods, "d/a");
  world.settle();
  CHECK(world.endpoints() == "10.42.0.3 ready;");
  world.api.erase(kinds::endpoint_slices, client::key_of(*slice));
  world.settle();
  CHECK(world.endpoints() == "10.42.0.3 ready;");
  world.api.erase(kinds::services, "d/web");
  world.settle();
  CHECK(world.api.peek(kinds::endpoints, "d/web") == nullptr);
}

TEST_CASE("a Service without selector is left alone") {
  ServiceWorld world;
  world.create(kinds::services, R"({"metadata":{"name":"kubernetes","namespace":"default"},
      "spec":{"ports":[{"port":443}]}})");
  world.create(kinds::endpoints, R"({"metadata":{"name":"kubernetes","namespace":"default"}})");
  world.pod("a", "10.42.0.2", true);
  CHECK(world.api.peek_all(kinds::endpoint_slices).empty());
  CHECK(world.api.peek(kinds::endpoints, "default/kubernetes") != nullptr);
}

TEST_CASE("large services spread over slices of a hundred") {
  json::Value service = *json::parse(web_service);
  const api::Object object(service);
  EndpointsFacts facts{.service = object};
  for (int i = 0; i < 250; ++i) {
    json::Value pod = *json::parse(R"({"spec":{"containers":[{"ports":[{"name":"http",
        "containerPort":8080}]}]},"status":{"phase":"Running"}})");
    json::set(pod, {"status", "podIP"}, text("10.42.1." + std::to_string(i)));
    facts.pods.push_back(api::make_object(std::move(pod)));
  }
  const auto slices = build_slices(facts);
  REQUIRE(slices.size() == 3);
  CHECK(json::array_at(slices[2], {"endpoints"}).size() == 50);
}

TEST_CASE("every namespace has its fixtures and gets them back") {
  ControllersWorld world;
  world.add<NamespaceFixture>(default_service_account());
  world.add<NamespaceFixture>(root_ca_config_map("PEM"));
  world.start();
  world.create(kinds::namespaces, R"({"metadata":{"name":"d"}})");
  world.settle();
  CHECK(world.api.peek(kinds::service_accounts, "d/default") != nullptr);
  CHECK(json::string_at(world.read(kinds::config_maps, "d/kube-root-ca.crt"), {"data", "ca.crt"}) ==
        "PEM");
  world.api.edit(kinds::config_maps, "d/kube-root-ca.crt",
                 [](json::Value& value) { json::set(value, {"data", "ca.crt"}, "forged"); });
  world.api.erase(kinds::service_accounts, "d/default");
  world.settle();
  CHECK(world.api.peek(kinds::service_accounts, "d/default") != nullptr);
  CHECK(json::string_at(world.read(kinds::config_maps, "d/kube-root-ca.crt"), {"data", "ca.crt"}) ==
        "PEM");
  const auto before = world.api.requests();
  world.advance(std::chrono::hours(1));
  CHECK(world.api.requests() == before);
}

TEST_CASE("address ranges are cut, taken and given back") {
  auto pool = CidrPool::parse("10.42.0.0/16", 24);
  REQUIRE(pool.has_value());
  CHECK(pool->size() == 256);
  CHECK(*pool->take() == "10.42.0.0/24");
  pool->occupy("10.42.1.0/24");
  CHECK(*pool->take() == "10.42.2.0/24");
  pool->occupy("192.168.0.0/24");
  auto small = CidrPool::parse("10.0.0.0/23", 24);
  CHECK(small->take().has_value());
  CHECK(small->take().has_value());
  CHECK_FALSE(small->take().has_value());
  small->release("10.0.1.0/24");
  CHECK(*small->take() == "10.0.1.0/24");
  auto six = CidrPool::parse("fd00:42::/56", 64);
  CHECK(*six->take() == "fd00:42::/64");
  CHECK(*six->take() == "fd00:42:0:1::/64");
  CHECK_FALSE(CidrPool::parse("10.0.0.0/25", 24).has_value());
  CHECK(CidrPool::parse("ten/8", 24).error().message == "'ten/8' is not an address range");
}

TEST_CASE("every node gets its own range") {
  ControllersWorld world;
  std::vector<CidrPool> pools;
  pools.push_back(*CidrPool::parse("10.42.0.0/16", 24));
  pools.push_back(*CidrPool::parse("fd00:42::/56", 64));
  world.create(kinds::nodes, R"({"metadata":{"name":"old"},"spec":{"podCIDR":"10.42.0.0/24",
      "podCIDRs":["10.42.0.0/24","fd00:42::/64"]}})");
  world.add<NodeIpam>(std::move(pools));
  world.start();
  world.create(kinds::nodes, R"({"metadata":{"name":"n1"},"spec":{}})");
  world.create(kinds::nodes, R"({"metadata":{"name":"n2"},"spec":{}})");
  world.settle();
  CHECK(ranges(world, "n1") == std::vector<std::string>{"10.42.1.0/24", "fd00:42:0:1::/64"});
  CHECK(ranges(world, "n2") == std::vector<std::string>{"10.42.2.0/24", "fd00:42:0:2::/64"});
  CHECK(json::string_at(world.read(kinds::nodes, "n1"), {"spec", "podCIDR"}) == "10.42.1.0/24");
}

TEST_CASE("a node that found no range gets the one of a node that goes") {
  ControllersWorld world;
  std::vector<CidrPool> pools;
  pools.push_back(*CidrPool::parse("10.42.0.0/24", 24));
  world.add<NodeIpam>(std::move(pools));
  world.start();
  world.create(kinds::nodes, R"({"metadata":{"name":"n1"},"spec":{}})");
  world.settle();
  world.create(kinds::nodes, R"({"metadata":{"name":"n2"},"spec":{}})");
  world.settle();
  CHECK(ranges(world, "n2").empty());
  const auto before = world.api.requests();
  world.advance(std::chrono::hours(1));
  CHECK(world.api.requests() == before);
  world.api.erase(kinds::nodes, "n1");
  world.settle();
  CHECK(ranges(world, "n2") == std::vector<std::string>{"10.42.0.0/24"});
}

}  // namespace koi::controllers
