#include <doctest/doctest.h>

#include "controllers/controllers_world.h"
#include "controllers/stateful_set_controller.h"

namespace koi::controllers {

namespace {

struct StatefulWorld : ControllersWorld {
  StatefulWorld() {
    add<StatefulSetController>();
    start();
  }

  void stateful_set(std::string_view spec) {
    json::Value value = *json::parse(R"({"apiVersion":"apps/v1","kind":"StatefulSet","metadata":
        {"name":"db","namespace":"d"}})");
    json::set(value, {"spec"}, *json::parse(spec));
    json::set(value, {"spec", "selector"}, *json::parse(R"({"matchLabels":{"app":"db"}})"));
    json::set(value, {"spec", "template"},
              *json::parse(
                  R"({"metadata":{"labels":{"app":"db"}},"spec":{"containers":[{"name":"c"}]}})"));
    create(kinds::stateful_sets, json::serialize(value));
    settle();
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& pod : api.peek_all(kinds::pods)) all.emplace_back(pod->name());
    return all;
  }
  void edit(const std::function<void(json::Value&)>& change) {
    api.edit(kinds::stateful_sets, "d/db", change);
    settle();
  }
  std::int64_t count(std::string_view field) {
    return json::int_at(read(kinds::stateful_sets, "d/db"), {"status", field}, 0);
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("members come in order and leave in reverse") {
  StatefulWorld world;
  world.stateful_set(R"({"replicas":3,"serviceName":"db"})");
  CHECK(world.names() == Names{"db-0"});
  world.run_pods();
  CHECK(world.names() == Names{"db-0", "db-1"});
  world.run_pods();
  world.run_pods();
  CHECK(world.names() == Names{"db-0", "db-1", "db-2"});
  CHECK(world.count("readyReplicas") == 3);
  CHECK(world.count("currentReplicas") == 3);
  const auto pod = world.read(kinds::pods, "d/db-1");
  CHECK(json::string_at(pod, {"spec", "hostname"}) == "db-1");
  CHECK(json::string_at(pod, {"spec", "subdomain"}) == "db");
  world.edit([](json::Value& value) { json::set(value, {"spec", "replicas"}, 1); });
  CHECK(world.names() == Names{"db-0"});
  const auto before = world.api.requests();
  world.advance(std::chrono::hours(1));
  CHECK(world.api.requests() == before);
}

TEST_CASE("parallel members come at once") {
  StatefulWorld world;
  world.stateful_set(R"({"replicas":3,"podManagementPolicy":"Parallel"})");
  CHECK(world.names() == Names{"db-0", "db-1", "db-2"});
}

TEST_CASE("a member that is lost comes back under its name") {
  StatefulWorld world;
  world.stateful_set(R"({"replicas":2})");
  world.run_pods();
  world.run_pods();
  const auto uid = std::string(world.api.peek(kinds::pods, "d/db-0")->uid());
  world.api.erase(kinds::pods, "d/db-0");
  world.settle();
  REQUIRE(world.names() == Names{"db-0", "db-1"});
  CHECK(world.api.peek(kinds::pods, "d/db-0")->uid() != uid);
}

TEST_CASE("a new template replaces the last member first, one at a time") {
  StatefulWorld world;
  world.stateful_set(R"({"replicas":2})");
  world.run_pods();
  world.run_pods();
  const auto uid = [&world](const char* name) {
    return std::string(world.api.peek(kinds::pods, std::string("d/") + name)->uid());
  };
  const auto zero = uid("db-0");
  const auto one = uid("db-1");
  world.edit([](json::Value& value) {
    json::set(value, {"spec", "template", "spec"},
              *json::parse(R"({"containers":[{"name":"c","image":"two"}]})"));
  });
  CHECK(uid("db-1") != one);
  CHECK(uid("db-0") == zero);
  world.run_pods();
  CHECK(uid("db-0") != zero);
  world.run_pods();
  CHECK(world.count("updatedReplicas") == 2);
  const auto set = world.read(kinds::stateful_sets, "d/db");
  CHECK(json::string_at(set, {"status", "currentRevision"}) ==
        json::string_at(set, {"status", "updateRevision"}));
}

TEST_CASE("a template that never gets ready can be mended") {
  StatefulWorld world;
  world.stateful_set(R"({"replicas":2})");
  CHECK(world.names() == Names{"db-0"});
  const auto first = std::string(world.api.peek(kinds::pods, "d/db-0")->uid());
  world.edit([](json::Value& value) {
    json::set(value, {"spec", "template", "spec"},
              *json::parse(R"({"containers":[{"name":"c","image":"good"}]})"));
  });
  CHECK(world.api.peek(kinds::pods, "d/db-0")->uid() != first);
}

TEST_CASE("volume claims are refused by name") {
  StatefulWorld world;
  world.stateful_set(R"({"replicas":1,"volumeClaimTemplates":[{"metadata":{"name":"v"}}]})");
  CHECK(world.names().empty());
  CHECK(world.event_texts() ==
        Names{"Unsupported: koi does not support spec.volumeClaimTemplates yet"});
}

}  // namespace koi::controllers
