#include "apiserver/operations.h"

#include <doctest/doctest.h>

#include "apiserver/api_service.h"
#include "apiserver/test_world.h"

using namespace koi;
using namespace koi::apiserver;
using testing_world::World;

namespace {

Call named(Call call, std::string name, std::string subresource = "") {
  call.name = std::move(name);
  call.subresource = std::move(subresource);
  return call;
}

struct Service {
  explicit Service(World& world)
      : authenticator({}, nullptr),
        service({world.operations, world.authorizer, authenticator, nullptr}) {}
  auth::Authenticator authenticator;
  ApiService service;
};

api::ObjectPtr make(World& world, const Call& call, std::string_view text) {
  const auto made = world.run(world.operations.create(call, world.json(text)));
  REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
  return made->object;
}

void make_default_account(World& world) {
  make(world, world.call("", "v1", "serviceaccounts", "default"),
       R"({"metadata":{"name":"default"}})");
}

constexpr const char* simple_pod =
    R"({"metadata":{"name":"web","labels":{"app":"web"}},"spec":{"containers":[{"name":"c",
      "image":"busybox"}]}})";

std::string types_of(const std::vector<StreamEvent>& events) {
  std::string out;
  for (const auto& event : events) {
    out += event.type == StreamEvent::Type::added      ? "A"
           : event.type == StreamEvent::Type::modified ? "M"
           : event.type == StreamEvent::Type::deleted  ? "D"
                                                       : "B";
  }
  return out;
}

}  // namespace

TEST_CASE("a config map is created, read, listed and removed") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  const auto made = make(world, call, R"({"metadata":{"name":"a"},"data":{"x":"1"}})");
  CHECK(made->resource_version() != "");
  CHECK(made->kind() == "ConfigMap");
  const Call one = named(call, "a");
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

TEST_CASE("pages of a list show one state of the store") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    make(world, call, std::string(R"({"metadata":{"name":")") + name + "\"}}");
  }
  auto page = world.operations.list(call, {.limit = 2});
  REQUIRE(page);
  CHECK(page->items.size() == 2);
  CHECK(page->remaining == 3);
  const auto revision = page->revision;
  make(world, call, R"({"metadata":{"name":"bb"}})");
  std::string names;
  for (const auto& item : page->items) names += item->name();
  while (!page->continue_token.empty()) {
    const ListQuery query{.continue_token = page->continue_token, .limit = 2};
    page = world.operations.list(call, query);
    REQUIRE(page);
    CHECK(page->revision == revision);
    for (const auto& item : page->items) names += item->name();
  }
  CHECK(names == "abcde");
  const auto bad = world.operations.list(call, {.continue_token = "nonsense"});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().http_code == 400);
}

TEST_CASE("selectors narrow lists") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  make(world, call, R"({"metadata":{"name":"a","labels":{"app":"x"}}})");
  make(world, call, R"({"metadata":{"name":"b","labels":{"app":"y"}}})");
  CHECK(world.operations.list(call, {.label_selector = "app in (x)"})->items.size() == 1);
  CHECK(world.operations.list(call, {.field_selector = "metadata.name=b"})->items.size() == 1);
  CHECK_FALSE(world.operations.list(call, {.label_selector = "app in ("}));
  CHECK_FALSE(world.operations.list(call, {.field_selector = "data.x=1"}));
}

TEST_CASE("a watch sees objects enter and leave its selection") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  make(world, call, R"({"metadata":{"name":"a","labels":{"app":"x"}}})");
  auto stream = world.operations.watch(call, {.label_selector = "app=x", .timeout_seconds = 100});
  REQUIRE(stream);
  CHECK(types_of(*world.run((*stream)->next())) == "A");
  const auto set_label = [&](const char* label) {
    const auto patch =
        world.json(std::string(R"({"metadata":{"labels":{"app":")") + label + "\"}}}");
    REQUIRE(world.run(world.operations.patch(named(call, "a"), PatchKind::merge, patch)));
  };
  set_label("y");
  const auto left = world.run((*stream)->next());
  CHECK(types_of(*left) == "D");
  CHECK(json::string_at(left->front().object->value(), {"metadata", "labels", "app"}) == "x");
  set_label("x");
  CHECK(types_of(*world.run((*stream)->next())) == "A");
  CHECK(world.run((*stream)->next())->empty());
}

TEST_CASE("initial events end with a bookmark that says so") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  make(world, call, R"({"metadata":{"name":"a"}})");
  const WatchQuery query{.match = RevisionMatch::not_older_than,
                         .send_initial_events = true,
                         .allow_bookmarks = true,
                         .timeout_seconds = 10};
  auto stream = world.operations.watch(call, query);
  REQUIRE(stream);
  const auto events = world.run((*stream)->next());
  CHECK(types_of(*events) == "AB");
  CHECK(json::string_at(events->back().object->value(),
                        {"metadata", "annotations", "k8s.io/initial-events-end"}) == "true");
  WatchQuery wrong = query;
  wrong.match = RevisionMatch::unset;
  CHECK(world.operations.watch(call, wrong).error().http_code == 422);
}

TEST_CASE("generated names are tried until one is free") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  const auto one = make(world, call, R"({"metadata":{"generateName":"x-"}})");
  const auto other = make(world, call, R"({"metadata":{"generateName":"x-"}})");
  CHECK(one->name().size() == 7);
  CHECK(one->name() != other->name());
}

TEST_CASE("a pod gets what the cluster adds, and leaves gracefully") {
  World world;
  make_default_account(world);
  const Call call = world.call("", "v1", "pods", "default");
  const auto pod = make(world, call, simple_pod);
  const json::Value& value = pod->value();
  CHECK(json::string_at(value, {"spec", "serviceAccountName"}) == "default");
  CHECK(json::array_at(value, {"spec", "tolerations"}).size() == 2);
  CHECK(json::int_at(value, {"spec", "priority"}) == 0);
  CHECK(json::string_at(value, {"status", "phase"}) == "Pending");
  CHECK(json::string_at(value, {"status", "qosClass"}) == "BestEffort");
  CHECK(json::array_at(value, {"spec", "volumes"}).size() == 1);
  CHECK(json::int_at(value, {"metadata", "generation"}) == 1);

  Service service(world);
  const auto binding = world.json(R"({"target":{"kind":"Node","name":"n1"}})");
  const Call bind = named(call, "web", "binding");
  const auto bound = world.run(service.service.create(bind, binding));
  REQUIRE_MESSAGE(bound.has_value(), (bound ? "" : bound.error().message));
  CHECK(bound->object->kind() == "Status");
  CHECK(world.run(service.service.create(bind, binding)).error().http_code == 409);

  const Call one = named(call, "web");
  const auto first = world.run(world.operations.remove(one, {}));
  REQUIRE(first);
  CHECK_FALSE(first->finished);
  CHECK(json::int_at(first->object->value(), {"metadata", "deletionGracePeriodSeconds"}) == 30);
  CHECK(json::string_at(first->object->value(), {"metadata", "deletionTimestamp"}) ==
        "2026-01-02T03:04:35Z");
  const auto again = world.run(world.operations.remove(one, {}));
  REQUIRE(again);
  CHECK(again->object->resource_version() == first->object->resource_version());
  const auto shorter = world.run(world.operations.remove(one, {.grace_period_seconds = 5}));
  REQUIRE(shorter);
  CHECK(json::string_at(shorter->object->value(), {"metadata", "deletionTimestamp"}) ==
        "2026-01-02T03:04:10Z");
  const auto last = world.run(world.operations.remove(one, {.grace_period_seconds = 0}));
  REQUIRE(last);
  CHECK(last->finished);
  CHECK_FALSE(world.operations.get(one));
}

TEST_CASE("a pod without its service account is refused") {
  World world;
  const Call call = world.call("", "v1", "pods", "default");
  const auto refused = world.run(world.operations.create(call, world.json(simple_pod)));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "pods \"web\" is forbidden: error looking up service account default/default: "
        "serviceaccount \"default\" not found");
}

TEST_CASE("status and spec have separate doors") {
  World world;
  const Call call = world.call("apps", "v1", "deployments", "default");
  const auto made = make(world, call, R"({"metadata":{"name":"d"},"spec":{"replicas":2,
      "selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},
      "spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"replicas":7}})");
  CHECK(json::int_at(made->value(), {"status", "replicas"}, 0) == 0);
  const auto patch = world.json(R"({"spec":{"replicas":5},"status":{"replicas":3}})");
  const auto status =
      world.run(world.operations.patch(named(call, "d", "status"), PatchKind::merge, patch));
  REQUIRE_MESSAGE(status.has_value(), (status ? "" : status.error().message));
  CHECK(json::int_at(status->object->value(), {"spec", "replicas"}) == 2);
  CHECK(json::int_at(status->object->value(), {"status", "replicas"}) == 3);
  CHECK(json::int_at(status->object->value(), {"metadata", "generation"}) == 1);
  const auto spec =
      world.run(world.operations.patch(named(call, "d"), PatchKind::strategic_merge, patch));
  REQUIRE(spec);
  CHECK(json::int_at(spec->object->value(), {"spec", "replicas"}) == 5);
  CHECK(json::int_at(spec->object->value(), {"metadata", "generation"}) == 2);

  Service service(world);
  const Call scale = named(call, "d", "scale");
  const auto read = service.service.get(scale);
  REQUIRE(read);
  CHECK((*read)->kind() == "Scale");
  CHECK(json::string_at((*read)->value(), {"status", "selector"}) == "app=d");
  const auto scaled = world.run(
      service.service.patch(scale, PatchKind::merge, world.json(R"({"spec":{"replicas":9}})")));
  REQUIRE_MESSAGE(scaled.has_value(), (scaled ? "" : scaled.error().message));
  CHECK(json::int_at(scaled->object->value(), {"spec", "replicas"}) == 9);
  CHECK(json::int_at((*world.operations.get(named(call, "d")))->value(), {"spec", "replicas"}) ==
        9);
}

TEST_CASE("a namespace goes when its content is gone") {
  World world;
  Service service(world);
  const Call call = world.call("", "v1", "namespaces", "");
  make(world, call, R"({"metadata":{"name":"x"}})");
  const auto removed = world.run(service.service.remove(named(call, "x"), {}));
  REQUIRE(removed);
  CHECK_FALSE(removed->finished);
  CHECK(json::string_at(removed->object->value(), {"status", "phase"}) == "Terminating");
  const Call inside = world.call("", "v1", "configmaps", "x");
  const auto refused =
      world.run(world.operations.create(inside, world.json(R"({"metadata":{"name":"a"}})")));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "configmaps \"a\" is forbidden: unable to create new content in namespace x because it is "
        "being terminated");
  CHECK(world.run(service.service.remove(named(call, "x"), {})).error().http_code == 409);
  json::Value finalized = removed->object->value();
  json::erase(finalized, {"spec", "finalizers"});
  REQUIRE(world.run(service.service.update(named(call, "x", "finalize"), finalized)));
  CHECK_FALSE(world.operations.get(named(call, "x")));
  const auto kept = world.run(service.service.remove(named(call, "default"), {}));
  CHECK(kept.error().http_code == 403);
}

TEST_CASE("finalizers hold an object until they are gone") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  make(world, call, R"({"metadata":{"name":"a"}})");
  const Call one = named(call, "a");
  const auto removed =
      world.run(world.operations.remove(one, {.propagation_policy = "Foreground"}));
  REQUIRE(removed);
  CHECK_FALSE(removed->finished);
  CHECK(json::array_at(removed->object->value(), {"metadata", "finalizers"}).size() == 1);
  const auto patch = world.json(R"({"metadata":{"finalizers":null}})");
  REQUIRE(world.run(world.operations.patch(one, PatchKind::merge, patch)));
  CHECK_FALSE(world.operations.get(one));
}

TEST_CASE("services get addresses and ports, and give them back") {
  World world;
  const Call call = world.call("", "v1", "services", "default");
  const auto one = make(world, call, R"({"metadata":{"name":"a"},"spec":{"type":"NodePort",
      "clusterIP":"10.43.0.10","ports":[{"port":80,"nodePort":30080}]}})");
  CHECK(json::string_at(one->value(), {"spec", "clusterIP"}) == "10.43.0.10");
  CHECK(json::array_at(one->value(), {"spec", "clusterIPs"}).size() == 1);
  const std::string_view same = R"({"metadata":{"name":"b"},"spec":{"clusterIP":"10.43.0.10",
      "ports":[{"port":80}]}})";
  CHECK(world.run(world.operations.create(call, world.json(same))).error().http_code == 422);
  const auto other = make(world, call, R"({"metadata":{"name":"c"},"spec":{"type":"NodePort",
      "ports":[{"port":80}]}})");
  CHECK(json::string_at(other->value(), {"spec", "clusterIP"}).starts_with("10.43."));
  REQUIRE(world.run(world.operations.remove(named(call, "a"), {})));
  make(world, call, same);
}

TEST_CASE("evictions respect budgets") {
  World world;
  make_default_account(world);
  const Call pods = world.call("", "v1", "pods", "default");
  make(world, pods, simple_pod);
  make(world, world.call("policy", "v1", "poddisruptionbudgets", "default"),
       R"({"metadata":{"name":"b"},"spec":{"minAvailable":1,
      "selector":{"matchLabels":{"app":"web"}}}})");
  Service service(world);
  const auto ready = world.json(R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
  REQUIRE(world.run(world.operations.patch(named(pods, "web", "status"), PatchKind::merge, ready)));
  const Call evict = named(pods, "web", "eviction");
  const auto refused = world.run(service.service.create(evict, world.json("{}")));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().http_code == 429);
  const auto unready = world.json(R"({"status":{"conditions":null}})");
  REQUIRE(
      world.run(world.operations.patch(named(pods, "web", "status"), PatchKind::merge, unready)));
  CHECK(world.run(service.service.create(evict, world.json("{}"))));
  CHECK_FALSE(world.operations.get(named(pods, "web")));
}

TEST_CASE("renewals and heartbeats are lazy, everything else is durable") {
  World world;
  const auto* leases = world.catalog.find("coordination.k8s.io", "v1", "leases");
  const json::Value lease = world.json(
      R"({"metadata":{"name":"a","resourceVersion":"1"},"spec":{"holderIdentity":"x",
      "renewTime":"1"}})");
  json::Value renewed = lease;
  json::set(renewed, {"spec", "renewTime"}, "2");
  json::set(renewed, {"metadata", "resourceVersion"}, "2");
  CHECK(durability_of(*leases, &lease, &renewed) == datastore::Durability::lazy);
  json::set(renewed, {"spec", "holderIdentity"}, "y");
  CHECK(durability_of(*leases, &lease, &renewed) == datastore::Durability::durable);
  const auto* nodes = world.catalog.find("", "v1", "nodes");
  const json::Value node = world.json(
      R"({"metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"True",
      "lastHeartbeatTime":"1"}]}})");
  json::Value beat = node;
  beat.at("status").at("conditions").at(0).at("lastHeartbeatTime") = "2";
  CHECK(durability_of(*nodes, &node, &beat) == datastore::Durability::lazy);
  beat.at("status").at("conditions").at(0).at("status") = "False";
  CHECK(durability_of(*nodes, &node, &beat) == datastore::Durability::durable);
}

TEST_CASE("a whole collection goes at once") {
  World world;
  const Call call = world.call("", "v1", "configmaps", "default");
  for (const char* name : {"a", "b"}) {
    make(world, call, std::string(R"({"metadata":{"name":")") + name + "\"}}");
  }
  REQUIRE(world.run(world.operations.remove_collection(call, {}, {})));
  CHECK(world.operations.list(call, {})->items.empty());
}
