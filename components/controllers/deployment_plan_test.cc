#include "controllers/deployment_plan.h"

#include <doctest/doctest.h>

#include "controllers/deployment_sets.h"
#include "controllers/deployment_status.h"

namespace koi::controllers {

namespace {

json::Value deployment(std::string_view spec) {
  json::Value value = *json::parse(
      R"({"metadata":{"name":"web","namespace":"d","uid":"u","generation":1},"spec":
      {"selector":{"matchLabels":{"app":"web"}},"progressDeadlineSeconds":600,"template":
      {"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"new"}]}}}})");
  const auto extra = *json::parse(spec);
  for (const auto& [name, member] : extra.as_object()) json::set(value, {"spec", name}, member);
  return value;
}

api::ObjectPtr set(std::string_view name, std::string_view image, int replicas, int available,
                   int wanted, int most) {
  const auto count = [](int number) { return std::to_string(number); };
  return api::make_object(*json::parse(
      R"({"metadata":{"name":")" + std::string(name) + R"(","creationTimestamp":")" +
      std::string(image == "new" ? "2026-01-02" : "2026-01-01") +
      R"(T00:00:00Z","annotations":{"deployment.kubernetes.io/revision":")" +
      (image == "new" ? "2" : "1") + R"(","deployment.kubernetes.io/desired-replicas":")" +
      count(wanted) + R"(","deployment.kubernetes.io/max-replicas":")" + count(most) +
      R"("}},"spec":{"replicas":)" + count(replicas) +
      R"(,"template":{"metadata":{"labels":{"app":"web","pod-template-hash":"x"}},"spec":
      {"containers":[{"name":"c","image":")" +
      std::string(image) + R"("}]}}},"status":{"replicas":)" + count(replicas) +
      R"(,"readyReplicas":)" + count(available) + R"(,"availableReplicas":)" + count(available) +
      "}}"));
}

std::string described(const DeploymentPlan& plan) {
  std::string text;
  for (const auto& update : plan.updates) {
    if (!update.event.empty()) text += update.event + "\n";
  }
  return text;
}

DeploymentPlan plan(const json::Value& value, std::vector<api::ObjectPtr> sets,
                    bool old_pods_run = false) {
  const api::Object object(value);
  const DeploymentFacts facts{.deployment = object,
                              .sets = std::move(sets),
                              .old_pods_run = old_pods_run,
                              .now = *base::parse_time("2026-01-03T00:00:00Z")};
  return plan_deployment(facts);
}

}  // namespace

TEST_CASE("surge rounds up, unavailability down, and both 0 is 0 and 1") {
  struct Row {
    std::string_view rolling;
    int replicas;
    int surge;
    int unavailable;
  };
  const Row rows[] = {
      {R"({"maxSurge":"25%","maxUnavailable":"25%"})", 3, 1, 0},
      {R"({"maxSurge":"25%","maxUnavailable":"25%"})", 10, 3, 2},
      {R"({"maxSurge":0,"maxUnavailable":"10%"})", 3, 0, 1},
      {R"({"maxSurge":2,"maxUnavailable":9})", 3, 2, 3},
      {R"({})", 4, 1, 1},
      {R"({"maxSurge":"100%","maxUnavailable":0})", 7, 7, 0},
  };
  for (const auto& row : rows) {
    auto value = deployment("{}");
    json::set(value, {"spec", "replicas"}, row.replicas);
    json::set(value, {"spec", "strategy", "rollingUpdate"}, *json::parse(row.rolling));
    const auto limits = rollout_limits(value);
    CAPTURE(row.rolling);
    CHECK(limits.max_surge == row.surge);
    CHECK(limits.max_unavailable == row.unavailable);
  }
  const auto recreate = deployment(R"({"replicas":4,"strategy":{"type":"Recreate"}})");
  CHECK(rollout_limits(recreate).max_surge == 0);
  CHECK(rollout_limits(recreate).max_unavailable == 0);
}

TEST_CASE("the first rollout creates a set with all replicas") {
  const auto made = plan(deployment(R"({"replicas":3})"), {});
  REQUIRE(made.create.has_value());
  const std::string name(json::string_at(*made.create, {"metadata", "name"}));
  const std::string hash(
      json::string_at(*made.create, {"metadata", "labels", "pod-template-hash"}));
  CHECK(name == "web-" + hash);
  CHECK(json::int_at(*made.create, {"spec", "replicas"}) == 3);
  CHECK(json::string_at(*made.create, {"spec", "selector", "matchLabels", "pod-template-hash"}) ==
        hash);
  CHECK(annotation(*made.create, revision_annotation) == "1");
  CHECK(annotation(*made.create, desired_annotation) == "3");
  CHECK(annotation(*made.create, max_annotation) == "4");
  CHECK(made.create_event == "Scaled up replica set " + name + " from 0 to 3");
  CHECK(made.revision == "1");
  const auto& conditions = json::array_at(made.status, {"conditions"});
  CHECK(json::string_at(*find_in(conditions, "Progressing"), {"reason"}) == "NewReplicaSetCreated");
  CHECK(json::string_at(*find_in(conditions, "Available"), {"reason"}) ==
        "MinimumReplicasUnavailable");
  CHECK(made.check_again == *base::parse_time("2026-01-03T00:10:01Z"));
}

TEST_CASE("the template hash is stable and moved on by collisions") {
  const auto one = *json::parse(R"({"a":1,"b":{"c":"x","d":[1,2]}})");
  const auto same = *json::parse(R"({"b":{"d":[1,2],"c":"x"},"a":1})");
  const auto other = *json::parse(R"({"a":1,"b":{"c":"x","d":[2,1]}})");
  CHECK(template_hash(one, 0) == template_hash(same, 0));
  CHECK(template_hash(one, 0) != template_hash(other, 0));
  CHECK(template_hash(one, 0) != template_hash(one, 1));
}

TEST_CASE("a rolling update surges, then replaces, within its limits") {
  const auto value = deployment(R"({"replicas":3})");
  CHECK(described(plan(value, {set("old", "old", 3, 3, 3, 4), set("new", "new", 0, 0, 3, 4)})) ==
        "Scaled up replica set new from 0 to 1\n");
  CHECK(described(plan(value, {set("old", "old", 3, 3, 3, 4), set("new", "new", 1, 0, 3, 4)})) ==
        "");
  CHECK(described(plan(value, {set("old", "old", 3, 3, 3, 4), set("new", "new", 1, 1, 3, 4)})) ==
        "Scaled down replica set old from 3 to 2\n");
  CHECK(described(plan(value, {set("old", "old", 2, 2, 3, 4), set("new", "new", 1, 1, 3, 4)})) ==
        "Scaled up replica set new from 1 to 2\n");
  CHECK(described(plan(value, {set("old", "old", 1, 1, 3, 4), set("new", "new", 3, 3, 3, 4)})) ==
        "Scaled down replica set old from 1 to 0\n");
}

TEST_CASE("old pods that are not available go first") {
  const auto value = deployment(
      R"({"replicas":4,"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":1}}})");
  CHECK(described(plan(value, {set("old", "old", 4, 1, 4, 5), set("new", "new", 1, 1, 4, 5)})) ==
        "Scaled down replica set old from 4 to 2\n");
}

TEST_CASE("recreate waits for the old pods to be gone") {
  const auto value = deployment(R"({"replicas":2,"strategy":{"type":"Recreate"}})");
  const auto first = plan(value, {set("old", "old", 2, 2, 2, 2)}, true);
  CHECK(described(first) == "Scaled down replica set old from 2 to 0\n");
  CHECK_FALSE(first.create.has_value());
  CHECK_FALSE(plan(value, {set("old", "old", 0, 0, 2, 2)}, true).create.has_value());
  const auto last = plan(value, {set("old", "old", 0, 0, 2, 2)}, false);
  REQUIRE(last.create.has_value());
  CHECK(json::int_at(*last.create, {"spec", "replicas"}) == 2);
  CHECK(annotation(*last.create, revision_annotation) == "2");
}

TEST_CASE("scaling during a rollout keeps the proportions") {
  const auto value = deployment(
      R"({"replicas":20,"strategy":{"rollingUpdate":{"maxSurge":"20%","maxUnavailable":"20%"}}})");
  const auto up = plan(value, {set("old", "old", 8, 8, 10, 12), set("new", "new", 4, 4, 10, 12)});
  CHECK(described(up) ==
        "Scaled up replica set old from 8 to 16\nScaled up replica set new from 4 to 8\n");
  const auto idle = plan(value, {set("new", "new", 10, 10, 10, 12)});
  CHECK(described(idle) == "Scaled up replica set new from 10 to 20\n");
}

TEST_CASE("a paused Deployment scales but does not roll out") {
  const auto value = deployment(R"({"replicas":3,"paused":true})");
  const auto made = plan(value, {set("old", "old", 3, 3, 3, 4)});
  CHECK_FALSE(made.create.has_value());
  CHECK(described(made).empty());
  const auto* condition = find_in(json::array_at(made.status, {"conditions"}), "Progressing");
  REQUIRE(condition != nullptr);
  CHECK(json::string_at(*condition, {"reason"}) == "DeploymentPaused");
  CHECK(json::string_at(*condition, {"message"}) == "Deployment is paused");
}

TEST_CASE("rolling back gives the old set a new revision and keeps its history") {
  auto value = deployment(R"({"replicas":1})");
  json::set(value, {"metadata", "annotations", "note"}, "hello");
  const auto back = api::make_object([] {
    auto copy = set("first", "new", 0, 0, 1, 2)->value();
    set_annotation(copy, revision_annotation, "1");
    return copy;
  }());
  const auto other = api::make_object([] {
    auto copy = set("second", "old", 1, 1, 1, 2)->value();
    set_annotation(copy, revision_annotation, "2");
    return copy;
  }());
  const auto made = plan(value, {back, other});
  CHECK(made.revision == "3");
  REQUIRE(made.updates.size() == 1);
  const auto& after = made.updates[0].after;
  CHECK(annotation(after, revision_annotation) == "3");
  CHECK(annotation(after, revision_history_annotation) == "1");
  CHECK(annotation(after, "note") == "hello");
}

TEST_CASE("history beyond the limit is removed once the rollout is complete") {
  auto value = deployment(R"({"replicas":1,"revisionHistoryLimit":1})");
  json::set(value, {"metadata", "generation"}, 0);
  std::vector<api::ObjectPtr> sets{set("new", "new", 1, 1, 1, 2)};
  for (const char* name : {"c", "a", "b"}) {
    auto old = set(name, std::string("image-") + name, 0, 0, 1, 2)->value();
    set_annotation(old, revision_annotation, name[0] == 'a' ? "1" : name[0] == 'b' ? "2" : "3");
    sets.push_back(api::make_object(std::move(old)));
  }
  sets[0] = api::make_object([&sets] {
    auto copy = sets[0]->value();
    set_annotation(copy, revision_annotation, "4");
    return copy;
  }());
  const auto made = plan(value, sets);
  REQUIRE(made.remove.size() == 2);
  CHECK(made.remove[0]->name() == "a");
  CHECK(made.remove[1]->name() == "b");
  const auto* condition = find_in(json::array_at(made.status, {"conditions"}), "Progressing");
  REQUIRE(condition != nullptr);
  CHECK(json::string_at(*condition, {"message"}) ==
        "ReplicaSet \"new\" has successfully progressed.");
}

TEST_CASE("a rollout that stands still runs out of time") {
  auto value = deployment(R"({"replicas":1})");
  json::set(value, {"status"}, *json::parse(R"({"replicas":1,"updatedReplicas":1,"conditions":[
      {"type":"Progressing","status":"True","reason":"ReplicaSetUpdated",
      "lastUpdateTime":"2026-01-02T00:00:00Z","lastTransitionTime":"2026-01-02T00:00:00Z"}]})"));
  const auto made = plan(value, {set("new", "new", 1, 0, 1, 2)});
  const auto* condition = find_in(json::array_at(made.status, {"conditions"}), "Progressing");
  REQUIRE(condition != nullptr);
  CHECK(json::string_at(*condition, {"status"}) == "False");
  CHECK(json::string_at(*condition, {"reason"}) == "ProgressDeadlineExceeded");
  CHECK(json::string_at(*condition, {"message"}) ==
        "ReplicaSet \"new\" has timed out progressing.");
}

}  // namespace koi::controllers
