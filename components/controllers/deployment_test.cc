#include <doctest/doctest.h>

#include <algorithm>

#include "controllers/controllers_world.h"
#include "controllers/deployment_controller.h"
#include "controllers/deployment_status.h"
#include "controllers/replica_set_controller.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view web = R"({"apiVersion":"apps/v1","kind":"Deployment",
    "metadata":{"name":"web","namespace":"d"},
    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"progressDeadlineSeconds":600,
    "revisionHistoryLimit":10,
    "strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}},
    "template":{"metadata":{"labels":{"app":"web"}},
    "spec":{"containers":[{"name":"c","image":"one"}]}}}})";

struct DeploymentWorld : ControllersWorld {
  DeploymentWorld() {
    add<DeploymentController>();
    add<ReplicaSetController>();
    start();
  }

  json::Value get() { return read(kinds::deployments, "d/web"); }
  std::int64_t count(std::string_view field) {
    const auto value = get();
    return json::int_at(value, {"status", field}, 0);
  }
  std::string condition(std::string_view type) {
    const auto value = get();
    const auto* found = find_in(json::array_at(value, {"status", "conditions"}), type);
    if (found == nullptr) return "";
    return std::string(json::string_at(*found, {"status"})) + " " +
           std::string(json::string_at(*found, {"reason"}));
  }
  void edit(const std::function<void(json::Value&)>& change) {
    api.edit(kinds::deployments, "d/web", change);
    settle();
  }
  void set_image(std::string_view image) {
    edit([image](json::Value& value) {
      auto& containers = json::ensure_array(value, {"spec", "template", "spec", "containers"});
      json::set(containers[0], {"image"}, client::text(image));
    });
  }
  // Lets pods come and go until nothing changes; returns the lowest number of ready pods seen.
  std::size_t converge() {
    std::size_t least = 1'000;
    for (int round = 0; round < 60; ++round) {
      std::size_t ready = 0;
      for (const auto& pod : api.peek_all(kinds::pods)) {
        if (!json::array_at(pod->value(), {"status", "conditions"}).empty()) ++ready;
      }
      least = std::min(least, ready);
      run_pods();
      advance(10ms);
    }
    return least;
  }
  std::size_t images(std::string_view image) {
    std::size_t found = 0;
    for (const auto& pod : api.peek_all(kinds::pods)) {
      const auto& containers = json::array_at(pod->value(), {"spec", "containers"});
      if (json::string_at(containers[0], {"image"}) == image) ++found;
    }
    return found;
  }
};

}  // namespace

TEST_CASE("a Deployment comes up, is updated without a gap, and is rolled back") {
  DeploymentWorld world;
  world.create(kinds::deployments, web);
  world.settle();
  CHECK(world.images("one") == 3);
  CHECK(world.count("unavailableReplicas") == 3);
  CHECK(world.condition("Available") == "False MinimumReplicasUnavailable");
  world.converge();
  CHECK(world.count("availableReplicas") == 3);
  CHECK(world.count("updatedReplicas") == 3);
  CHECK(world.count("observedGeneration") == 1);
  CHECK(world.condition("Available") == "True MinimumReplicasAvailable");
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
  CHECK(json::string_at(world.get(),
                        {"metadata", "annotations", "deployment.kubernetes.io/revision"}) == "1");

  world.set_image("two");
  CHECK(world.converge() >= 3);
  CHECK(world.images("two") == 3);
  CHECK(world.images("one") == 0);
  CHECK(world.count("updatedReplicas") == 3);
  CHECK(world.count("replicas") == 3);
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
  CHECK(world.api.peek_all(kinds::replica_sets).size() == 2);

  world.set_image("one");
  CHECK(world.converge() >= 3);
  CHECK(world.images("one") == 3);
  CHECK(world.api.peek_all(kinds::replica_sets).size() == 2);
  CHECK(json::string_at(world.get(),
                        {"metadata", "annotations", "deployment.kubernetes.io/revision"}) == "3");
  const auto requests = world.api.requests();
  world.advance(24h);
  CHECK(world.api.requests() == requests);
}

TEST_CASE("scaling a Deployment scales its set") {
  DeploymentWorld world;
  world.create(kinds::deployments, web);
  world.converge();
  world.edit([](json::Value& value) { json::set(value, {"spec", "replicas"}, 7); });
  world.converge();
  CHECK(world.images("one") == 7);
  CHECK(world.count("availableReplicas") == 7);
  world.edit([](json::Value& value) { json::set(value, {"spec", "replicas"}, 0); });
  world.converge();
  CHECK(world.images("one") == 0);
  const auto events = world.event_texts();
  CHECK(std::any_of(events.begin(), events.end(), [](const auto& text) {
    return text.starts_with("ScalingReplicaSet: Scaled up replica set web-") &&
           text.ends_with("from 3 to 7");
  }));
}

TEST_CASE("a broken image stops the rollout, keeps the old pods and runs into the deadline") {
  DeploymentWorld world;
  world.create(kinds::deployments, web);
  world.converge();
  world.set_image("broken");
  world.settle();
  world.advance(1min);
  CHECK(world.images("one") == 3);
  CHECK(world.images("broken") == 1);
  CHECK(world.condition("Progressing") == "True ReplicaSetUpdated");
  world.advance(10min);
  CHECK(world.condition("Progressing") == "False ProgressDeadlineExceeded");
  CHECK(world.condition("Available") == "True MinimumReplicasAvailable");
}

TEST_CASE("Recreate never runs old and new pods together") {
  DeploymentWorld world;
  world.create(kinds::deployments, web);
  world.edit([](json::Value& value) {
    json::set(value, {"spec", "strategy"}, *json::parse(R"({"type":"Recreate"})"));
  });
  world.converge();
  for (const auto& pod : world.api.peek_all(kinds::pods)) {
    world.api.edit(kinds::pods, client::key_of(*pod),
                   [](json::Value& value) { json::set(value, {"spec", "nodeName"}, "n1"); });
  }
  world.settle();
  world.set_image("two");
  CHECK(world.images("two") == 0);
  CHECK(world.images("one") == 3);
  world.converge();
  CHECK(world.images("one") == 0);
  CHECK(world.images("two") == 3);
}

TEST_CASE("a name that is taken moves the hash on") {
  DeploymentWorld world;
  world.create(kinds::deployments, web);
  world.converge();
  const auto own = world.api.peek_all(kinds::replica_sets)[0];
  json::Value stranger = own->value();
  DeploymentWorld other;
  json::erase(stranger, {"metadata", "ownerReferences"});
  json::erase(stranger, {"metadata", "labels"});
  json::set(stranger, {"spec", "replicas"}, 0);
  other.api.put(kinds::replica_sets, stranger);
  other.create(kinds::deployments, web);
  other.converge();
  CHECK(other.count("collisionCount") == 1);
  CHECK(other.images("one") == 3);
  CHECK(other.api.peek_all(kinds::replica_sets).size() == 2);
}

}  // namespace koi::controllers
