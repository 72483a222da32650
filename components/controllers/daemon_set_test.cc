#include <doctest/doctest.h>

#include <set>

#include "controllers/controllers_world.h"
#include "controllers/daemon_set_controller.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;

struct DaemonWorld : ControllersWorld {
  DaemonWorld() {
    add<DaemonSetController>();
    start();
  }

  void node(std::string_view name, std::string_view spec = "{}", std::string_view labels = "{}") {
    json::Value value = json::Object();
    json::set(value, {"metadata", "name"}, client::text(name));
    json::set(value, {"metadata", "labels"}, *json::parse(labels));
    json::set(value, {"spec"}, *json::parse(spec));
    api.put(kinds::nodes, std::move(value));
    settle();
  }
  void daemon_set(std::string_view template_spec) {
    json::Value value = *json::parse(R"({"apiVersion":"apps/v1","kind":"DaemonSet","metadata":
        {"name":"log","namespace":"d"},"spec":{"selector":{"matchLabels":{"app":"log"}},
        "template":{"metadata":{"labels":{"app":"log"}}}}})");
    json::set(value, {"spec", "template", "spec"}, *json::parse(template_spec));
    create(kinds::daemon_sets, json::serialize(value));
    settle();
  }
  // Plays the scheduler and the kubelet.
  void bind_and_run() {
    for (const auto& pod : api.peek_all(kinds::pods)) {
      const auto& terms = json::array_at(
          pod->value(), {"spec", "affinity", "nodeAffinity",
                         "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"});
      const auto& field = json::array_at(terms[0], {"matchFields"})[0];
      const std::string target(json::string_at(json::array_at(field, {"values"})[0], {}));
      api.edit(kinds::pods, client::key_of(*pod), [&target](json::Value& value) {
        json::set(value, {"spec", "nodeName"}, client::text(target));
      });
    }
    run_pods();
  }
  std::multiset<std::string> where() {
    std::multiset<std::string> names;
    for (const auto& pod : api.peek_all(kinds::pods)) {
      if (!pod->is_terminating()) {
        names.emplace(json::string_at(pod->value(), {"spec", "nodeName"}));
      }
    }
    return names;
  }
  std::int64_t count(std::string_view field) {
    return json::int_at(read(kinds::daemon_sets, "d/log"), {"status", field}, 0);
  }
};

using Names = std::multiset<std::string>;

}  // namespace

TEST_CASE("every node that takes it has its daemon, also those that come later") {
  DaemonWorld world;
  world.node("n1");
  world.node("tainted", R"({"taints":[{"key":"k","effect":"NoSchedule"}]})");
  world.node("cordoned", R"({"taints":[{"key":"node.kubernetes.io/unschedulable",
      "effect":"NoSchedule"}]})");
  world.daemon_set(R"({"containers":[{"name":"c"}]})");
  world.bind_and_run();
  CHECK(world.where() == Names{"cordoned", "n1"});
  CHECK(world.count("desiredNumberScheduled") == 2);
  CHECK(world.count("numberReady") == 2);
  CHECK(world.count("numberAvailable") == 2);
  world.node("n2");
  world.bind_and_run();
  CHECK(world.where() == Names{"cordoned", "n1", "n2"});
  world.node("n2", R"({"taints":[{"key":"k","effect":"NoExecute"}]})");
  CHECK(world.where() == Names{"cordoned", "n1"});
  const auto before = world.api.requests();
  world.advance(1h);
  CHECK(world.api.requests() == before);
}

TEST_CASE("a node selector is followed when labels change") {
  DaemonWorld world;
  world.node("n1", "{}", R"({"disk":"ssd"})");
  world.node("n2");
  world.daemon_set(R"({"nodeSelector":{"disk":"ssd"},"containers":[{"name":"c"}]})");
  world.bind_and_run();
  CHECK(world.where() == Names{"n1"});
  world.node("n2", "{}", R"({"disk":"ssd"})");
  world.bind_and_run();
  CHECK(world.where() == Names{"n1", "n2"});
  world.node("n1");
  world.bind_and_run();
  CHECK(world.where() == Names{"n2"});
}

TEST_CASE("a new template replaces the daemons node by node") {
  DaemonWorld world;
  for (const char* name : {"n1", "n2", "n3"}) world.node(name);
  world.daemon_set(R"({"containers":[{"name":"c","image":"one"}]})");
  world.bind_and_run();
  world.api.edit(kinds::daemon_sets, "d/log", [](json::Value& value) {
    json::set(value, {"spec", "template", "spec"},
              *json::parse(R"({"containers":[{"name":"c","image":"two"}]})"));
  });
  for (int round = 0; round < 12; ++round) {
    world.settle();
    std::size_t leaving = 0;
    for (const auto& pod : world.api.peek_all(kinds::pods)) leaving += pod->is_terminating();
    CHECK(leaving <= 1);
    world.bind_and_run();
  }
  CHECK(world.count("updatedNumberScheduled") == 3);
  CHECK(world.where() == Names{"n1", "n2", "n3"});
}

TEST_CASE("a daemon that failed is replaced, not too fast") {
  DaemonWorld world;
  world.node("n1");
  world.daemon_set(R"({"containers":[{"name":"c"}]})");
  world.bind_and_run();
  const auto first = world.api.peek_all(kinds::pods)[0];
  world.api.edit(kinds::pods, client::key_of(*first),
                 [](json::Value& value) { json::set(value, {"status", "phase"}, "Failed"); });
  world.advance(9s);
  CHECK(world.api.peek_all(kinds::pods)[0]->uid() == first->uid());
  world.advance(1s);
  world.bind_and_run();
  CHECK(world.api.peek_all(kinds::pods)[0]->uid() != first->uid());
  CHECK(world.where() == Names{"n1"});
}

}  // namespace koi::controllers
