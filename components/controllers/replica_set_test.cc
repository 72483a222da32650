#include <doctest/doctest.h>

#include <algorithm>

#include "controllers/controllers_world.h"
#include "controllers/delete_rank.h"
#include "controllers/replica_set_controller.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view web = R"({"apiVersion":"apps/v1","kind":"ReplicaSet",
    "metadata":{"name":"web","namespace":"d"},
    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},
    "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c"}]}}}})";

struct ReplicaSetWorld : ControllersWorld {
  ReplicaSetWorld() {
    add<ReplicaSetController>();
    start();
  }

  std::size_t pods() { return api.peek_all(kinds::pods).size(); }
  json::Value status() { return *json::find(read(kinds::replica_sets, "d/web"), {"status"}); }
  void scale(int replicas) {
    api.edit(kinds::replica_sets, "d/web",
             [replicas](json::Value& value) { json::set(value, {"spec", "replicas"}, replicas); });
    settle();
  }
};

api::ObjectPtr pod(std::string_view text) { return api::make_object(*json::parse(text)); }

}  // namespace

TEST_CASE("a ReplicaSet gets its pods, exactly as many, and reports them") {
  ReplicaSetWorld world;
  world.create(kinds::replica_sets, web);
  world.settle();
  REQUIRE(world.pods() == 3);
  const auto first = world.api.peek_all(kinds::pods)[0];
  CHECK(first->name().starts_with("web-"));
  const auto* owner = client::controller_of(*first);
  REQUIRE(owner != nullptr);
  CHECK(json::string_at(*owner, {"kind"}) == "ReplicaSet");
  CHECK(json::string_at(first->value(), {"metadata", "labels", "app"}) == "web");
  CHECK(json::int_at(world.status(), {"replicas"}) == 3);
  CHECK(json::int_at(world.status(), {"fullyLabeledReplicas"}) == 3);
  CHECK_FALSE(json::int_at(world.status(), {"readyReplicas"}).has_value());
  world.run_pods();
  CHECK(json::int_at(world.status(), {"readyReplicas"}) == 3);
  CHECK(json::int_at(world.status(), {"availableReplicas"}) == 3);
  const auto events = world.event_texts();
  CHECK(std::count(events.begin(), events.end(),
                   "SuccessfulCreate: Created pod: " + std::string(first->name())) == 1);
}

TEST_CASE("scaling up and down creates and deletes the difference") {
  ReplicaSetWorld world;
  world.create(kinds::replica_sets, web);
  world.settle();
  world.scale(40);
  CHECK(world.pods() == 40);
  world.scale(2);
  CHECK(world.pods() == 2);
  world.scale(0);
  CHECK(world.pods() == 0);
  CHECK(json::int_at(world.status(), {"replicas"}) == 0);
}

TEST_CASE("a pod that goes is replaced, one that matches is adopted, one that strays is let go") {
  ReplicaSetWorld world;
  world.create(kinds::pods, R"({"metadata":{"name":"lone","namespace":"d",
      "labels":{"app":"web"}}})");
  const auto owner = world.create(kinds::replica_sets, web);
  world.settle();
  CHECK(world.pods() == 3);
  CHECK(client::controller_uid(*world.api.peek(kinds::pods, "d/lone")) == owner->uid());
  world.api.edit(kinds::pods, "d/lone", [](json::Value& value) {
    json::set(value, {"metadata", "labels", "app"}, "else");
  });
  world.settle();
  CHECK(world.pods() == 4);
  CHECK(client::controller_of(*world.api.peek(kinds::pods, "d/lone")) == nullptr);
  world.api.erase(kinds::pods, client::key_of(*world.api.peek_all(kinds::pods)[1]));
  world.settle();
  CHECK(world.pods() == 4);
}

TEST_CASE("available counts after minReadySeconds, without polling") {
  ReplicaSetWorld world;
  world.create(kinds::replica_sets, web);
  world.api.edit(kinds::replica_sets, "d/web",
                 [](json::Value& value) { json::set(value, {"spec", "minReadySeconds"}, 30); });
  world.settle();
  world.run_pods();
  CHECK(json::int_at(world.status(), {"readyReplicas"}) == 3);
  CHECK_FALSE(json::int_at(world.status(), {"availableReplicas"}).has_value());
  world.advance(30s);
  CHECK(json::int_at(world.status(), {"availableReplicas"}) == 3);
  const auto before = world.api.requests();
  world.advance(1h);
  CHECK(world.api.requests() == before);
}

TEST_CASE("pods that cannot be created cost few requests and show in the status") {
  ReplicaSetWorld world;
  int attempts = 0;
  world.api.set_fault([&attempts](std::string_view verb,
                                  const client::ObjectRef& ref) -> std::optional<base::Error> {
    if (verb != "create" || ref.resource.plural != "pods") return std::nullopt;
    ++attempts;
    return base::Error{.code = base::Code::forbidden, .message = "exceeded quota"};
  });
  world.create(kinds::replica_sets, web);
  world.settle();
  CHECK(attempts <= 2);
  const auto status = world.status();
  const auto& conditions = json::array_at(status, {"conditions"});
  REQUIRE(conditions.size() == 1);
  CHECK(json::string_at(conditions[0], {"reason"}) == "FailedCreate");
  CHECK(json::string_at(conditions[0], {"message"}) == "exceeded quota");
  world.advance(1s);
  CHECK(attempts < 12);
  world.api.set_fault(nullptr);
  world.advance(6min);
  CHECK(world.pods() == 3);
  CHECK(json::array_at(world.status(), {"conditions"}).empty());
}

TEST_CASE("which pod goes first") {
  const auto now = *base::parse_time("2026-01-01T01:00:00Z");
  const auto assigned = pod(R"({"metadata":{"uid":"assigned"},"spec":{"nodeName":"n"},
      "status":{"phase":"Pending"}})");
  const auto unassigned = pod(R"({"metadata":{"uid":"unassigned"},"status":{"phase":"Pending"}})");
  const auto ready_long = pod(R"({"metadata":{"uid":"long"},"spec":{"nodeName":"n"},"status":
      {"phase":"Running","conditions":[{"type":"Ready","status":"True",
      "lastTransitionTime":"2026-01-01T00:00:00Z"}]}})");
  const auto ready_short = pod(R"({"metadata":{"uid":"short"},"spec":{"nodeName":"n"},"status":
      {"phase":"Running","conditions":[{"type":"Ready","status":"True",
      "lastTransitionTime":"2026-01-01T00:59:00Z"}]}})");
  const auto cheap = pod(R"({"metadata":{"uid":"cheap","annotations":
      {"controller.kubernetes.io/pod-deletion-cost":"-5"}},"spec":{"nodeName":"n"},"status":
      {"phase":"Running","conditions":[{"type":"Ready","status":"True",
      "lastTransitionTime":"2026-01-01T00:00:00Z"}]}})");
  const auto not_ready = pod(R"({"metadata":{"uid":"unready"},"spec":{"nodeName":"n"},"status":
      {"phase":"Running"}})");
  const std::vector<api::ObjectPtr> all{ready_long, ready_short, cheap,
                                        not_ready,  assigned,    unassigned};
  const auto chosen = choose_pods_to_delete(all, all, 5, now);
  std::vector<std::string> order;
  for (const auto& each : chosen) order.emplace_back(each->uid());
  CHECK(order == std::vector<std::string>{"unassigned", "assigned", "unready", "cheap", "short"});
  const auto crowded = pod(R"({"metadata":{"uid":"crowded"},"spec":{"nodeName":"m"},"status":
      {"phase":"Running","conditions":[{"type":"Ready","status":"True",
      "lastTransitionTime":"2026-01-01T00:00:00Z"}]}})");
  const std::vector<api::ObjectPtr> related{ready_long, crowded, crowded};
  const auto doubled = choose_pods_to_delete({ready_long, crowded}, related, 1, now);
  CHECK(doubled[0]->uid() == "crowded");
}

}  // namespace koi::controllers
