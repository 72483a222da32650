#include <doctest/doctest.h>

#include "controllers/collection_plan.h"
#include "controllers/controllers_world.h"
#include "controllers/garbage_collector.h"
#include "controllers/inventory.h"
#include "controllers/namespace_controller.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;

std::vector<client::ResourceInfo> small_catalog() {
  return {{.resource = kinds::pods, .kind = "Pod"},
          {.resource = kinds::config_maps, .kind = "ConfigMap"},
          {.resource = kinds::replica_sets, .kind = "ReplicaSet"},
          {.resource = kinds::deployments, .kind = "Deployment"},
          {.resource = kinds::namespaces, .kind = "Namespace", .namespaced = false}};
}

struct CleanupWorld : ControllersWorld {
  Inventory inventory{informers, small_catalog};

  CleanupWorld() {
    add<GarbageCollector>(inventory);
    add<NamespaceController>(inventory);
    start();
  }

  api::ObjectPtr thing(const client::Resource& resource, std::string_view kind,
                       std::string_view name, const std::vector<api::ObjectPtr>& owners = {},
                       bool blocking = true) {
    json::Value value = json::Object{{"kind", kind}};
    json::set(value, {"apiVersion"},
              client::text(resource.group.empty() ? "v1" : resource.group + "/v1"));
    json::set(value, {"metadata", "name"}, client::text(name));
    json::set(value, {"metadata", "namespace"}, "d");
    for (const auto& owner : owners) {
      json::ensure_array(value, {"metadata", "ownerReferences"})
          .push_back(json::Object{{"apiVersion", owner->api_version()},
                                  {"kind", owner->kind()},
                                  {"name", owner->name()},
                                  {"uid", owner->uid()},
                                  {"blockOwnerDeletion", blocking}});
    }
    return create(resource, json::serialize(value));
  }

  api::ObjectPtr deployment(std::string_view name) {
    return thing(kinds::deployments, "Deployment", name);
  }
  api::ObjectPtr set(std::string_view name, const std::vector<api::ObjectPtr>& owners) {
    return thing(kinds::replica_sets, "ReplicaSet", name, owners);
  }
  api::ObjectPtr pod(std::string_view name, const std::vector<api::ObjectPtr>& owners) {
    return thing(kinds::pods, "Pod", name, owners);
  }
  bool has(const client::Resource& resource, std::string_view name) {
    return api.peek(resource, "d/" + std::string(name)) != nullptr;
  }
};

}  // namespace

TEST_CASE("in the background, what the owner leaves behind goes, down to the last") {
  CleanupWorld world;
  const auto web = world.deployment("web");
  const auto set = world.set("web-1", {web});
  world.pod("web-1-a", {set});
  world.pod("lone", {});
  world.settle();
  world.remove(kinds::deployments, "d/web");
  CHECK_FALSE(world.has(kinds::replica_sets, "web-1"));
  CHECK_FALSE(world.has(kinds::pods, "web-1-a"));
  CHECK(world.has(kinds::pods, "lone"));
}

TEST_CASE("in the foreground, the owner goes last") {
  CleanupWorld world;
  const auto web = world.deployment("web");
  const auto set = world.set("web-1", {web});
  world.pod("web-1-a", {set});
  world.api.edit(kinds::pods, "d/web-1-a",
                 [](json::Value& value) { json::set(value, {"spec", "nodeName"}, "n1"); });
  world.settle();
  world.remove(kinds::deployments, "d/web", "Foreground");
  CHECK(world.has(kinds::deployments, "web"));
  CHECK(world.has(kinds::replica_sets, "web-1"));
  CHECK(world.api.peek(kinds::pods, "d/web-1-a")->is_terminating());
  world.api.erase(kinds::pods, "d/web-1-a");
  world.settle();
  CHECK_FALSE(world.has(kinds::replica_sets, "web-1"));
  CHECK_FALSE(world.has(kinds::deployments, "web"));
}

TEST_CASE("orphaned dependents stay and forget their owner") {
  CleanupWorld world;
  const auto web = world.deployment("web");
  world.set("web-1", {web});
  world.settle();
  world.remove(kinds::deployments, "d/web", "Orphan");
  CHECK_FALSE(world.has(kinds::deployments, "web"));
  REQUIRE(world.has(kinds::replica_sets, "web-1"));
  const auto left = world.read(kinds::replica_sets, "d/web-1");
  CHECK(json::array_at(left, {"metadata", "ownerReferences"}).empty());
}

TEST_CASE("an object lives on while one of its owners does") {
  CleanupWorld world;
  const auto one = world.deployment("one");
  const auto two = world.deployment("two");
  world.pod("shared", {one, two});
  world.settle();
  world.remove(kinds::deployments, "d/one");
  REQUIRE(world.has(kinds::pods, "shared"));
  const auto left = world.read(kinds::pods, "d/shared");
  const auto& owners = json::array_at(left, {"metadata", "ownerReferences"});
  REQUIRE(owners.size() == 1);
  CHECK(json::string_at(owners[0], {"name"}) == "two");
  world.remove(kinds::deployments, "d/two");
  CHECK_FALSE(world.has(kinds::pods, "shared"));
}

TEST_CASE("an owner of another uid is no owner, an owner of an unknown kind cannot be judged") {
  CleanupWorld world;
  const auto web = world.deployment("web");
  json::Value stale = web->value();
  json::set(stale, {"metadata", "uid"}, "someone-else");
  world.pod("stale", {api::make_object(stale)});
  json::set(stale, {"kind"}, "Mystery");
  world.pod("unknown", {api::make_object(stale)});
  world.settle();
  CHECK_FALSE(world.has(kinds::pods, "stale"));
  CHECK(world.has(kinds::pods, "unknown"));
}

TEST_CASE("ordinary objects cost the collector no requests") {
  CleanupWorld world;
  const auto web = world.deployment("web");
  world.settle();
  const auto before = world.api.requests();
  for (int i = 0; i < 10; ++i) world.pod("p" + std::to_string(i), {web});
  world.settle();
  CHECK(world.api.requests() == before + 10);
}

TEST_CASE("a namespace is emptied, pods first, and then goes") {
  CleanupWorld world;
  world.create(kinds::namespaces, R"({"kind":"Namespace","metadata":{"name":"d"}})");
  world.pod("a", {});
  world.api.edit(kinds::pods, "d/a",
                 [](json::Value& value) { json::set(value, {"spec", "nodeName"}, "n1"); });
  world.thing(kinds::config_maps, "ConfigMap", "settings");
  world.thing(kinds::config_maps, "ConfigMap", "held");
  world.api.edit(kinds::config_maps, "d/held", [](json::Value& value) {
    json::set(value, {"metadata", "finalizers"}, json::Array{"example.com/wait"});
  });
  world.settle();
  world.remove(kinds::namespaces, "d");
  CHECK(world.api.peek(kinds::pods, "d/a")->is_terminating());
  CHECK(world.has(kinds::config_maps, "settings"));
  world.api.erase(kinds::pods, "d/a");
  world.settle();
  CHECK_FALSE(world.has(kinds::config_maps, "settings"));
  CHECK(world.has(kinds::config_maps, "held"));
  const auto stuck = world.read(kinds::namespaces, "d");
  std::string messages;
  for (const auto& each : json::array_at(stuck, {"status", "conditions"})) {
    if (json::string_at(each, {"status"}) == "True") {
      messages += std::string(json::string_at(each, {"message"})) + "\n";
    }
  }
  CHECK(messages ==
        "Some resources are remaining: configmaps. has 1 resource instances\n"
        "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource "
        "instances\n");
  const auto requests = world.api.requests();
  world.advance(1h);
  CHECK(world.api.requests() == requests);
  world.api.erase(kinds::config_maps, "d/held");
  world.advance(1s);
  CHECK(world.api.peek(kinds::namespaces, "d") == nullptr);
}

TEST_CASE("collection plans") {
  using Step = CollectionPlan::Step;
  const auto plain = api::make_object(*json::parse(R"({"metadata":{"name":"x"}})"));
  const auto orphaning = api::make_object(
      *json::parse(R"({"metadata":{"deletionTimestamp":"t","finalizers":["orphan"]}})"));
  const auto foreground = api::make_object(*json::parse(
      R"({"metadata":{"deletionTimestamp":"t","finalizers":["foregroundDeletion"]}})"));
  const OwnerFact absent{.uid = "a", .fate = OwnerFate::absent};
  const OwnerFact waiting{.uid = "w", .fate = OwnerFate::waiting};
  CHECK(plan_collection({.object = *plain}).step == Step::nothing);
  CHECK(plan_collection({.object = *orphaning}).step == Step::orphan_dependents);
  CHECK(plan_collection({.object = *foreground}).step == Step::finish_foreground);
  CHECK(plan_collection({.object = *foreground, .has_blocking_dependents = true}).step ==
        Step::delete_dependents);
  CHECK(plan_collection({.object = *plain, .owners = {absent}}).policy == "Background");
  CHECK(plan_collection({.object = *plain, .owners = {waiting}}).policy == "Background");
  CHECK(plan_collection({.object = *plain, .owners = {waiting}, .has_dependents = true}).policy ==
        "Foreground");
}

}  // namespace koi::controllers
