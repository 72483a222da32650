#include <doctest/doctest.h>

#include "controllers/controllers_world.h"
#include "controllers/node_lifecycle.h"
#include "controllers/pod_collector.h"
#include "controllers/pod_state.h"
#include "controllers/taint_eviction.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;
using client::text;

struct NodeWorld : ControllersWorld {
  NodeWorld() {
    add<NodeLifecycle>(NodeLifecycleOptions{});
    add<TaintEviction>();
    add<PodCollector>(PodCollectorOptions{.finished_pods_max = 3});
    start();
  }

  void node(std::string_view name) {
    json::Value value = *json::parse(R"({"apiVersion":"v1","kind":"Node","spec":{},"status":
        {"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True",
        "reason":"KubeletReady"}]}})");
    json::set(value, {"metadata", "name"}, text(name));
    api.put(kinds::nodes, std::move(value));
    settle();
  }

  void pod(std::string_view name, std::string_view node, std::string_view tolerations = "[]") {
    json::Value value = *json::parse(R"({"apiVersion":"v1","kind":"Pod","status":{"phase":
        "Running","conditions":[{"type":"Ready","status":"True"}]}})");
    json::set(value, {"metadata", "name"}, text(name));
    json::set(value, {"metadata", "namespace"}, "d");
    json::set(value, {"spec", "nodeName"}, text(node));
    json::set(value, {"spec", "tolerations"}, *json::parse(tolerations));
    api.put(kinds::pods, std::move(value));
    settle();
  }

  void heartbeat(std::string_view name) {
    json::Value lease = json::Object();
    json::set(lease, {"metadata", "name"}, text(name));
    json::set(lease, {"metadata", "namespace"}, "kube-node-lease");
    json::set(lease, {"spec", "renewTime"}, text(base::format_micro_time(clock.wall_now())));
    api.put(kinds::leases, std::move(lease));
    settle();
  }

  void beat_for(base::Duration span, std::string_view name) {
    for (base::Duration done{0}; done < span; done += 10s) {
      heartbeat(name);
      advance(10s);
    }
  }

  // "key:effect" of each taint.
  std::string taints(std::string_view name) {
    const auto value = read(kinds::nodes, name);
    std::string all;
    for (const auto& taint : json::array_at(value, {"spec", "taints"})) {
      if (!all.empty()) all += " ";
      all += std::string(json::string_at(taint, {"key"})) + ":" +
             std::string(json::string_at(taint, {"effect"}));
    }
    return all;
  }
  std::string ready(const client::Resource& resource, std::string_view key) {
    const auto value = read(resource, key);
    const auto* condition = find_condition(value, "Ready");
    return condition != nullptr ? std::string(json::string_at(*condition, {"status"})) : "";
  }
  bool is_leaving(std::string_view name) {
    const auto pod = api.peek(kinds::pods, "d/" + std::string(name));
    return pod == nullptr || pod->is_terminating();
  }
};

constexpr std::string_view default_tolerations =
    R"([{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute",
    "tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists",
    "effect":"NoExecute","tolerationSeconds":300}])";

}  // namespace

TEST_CASE("a node with heartbeats stays ready and costs no requests") {
  NodeWorld world;
  world.node("n1");
  world.heartbeat("n1");
  world.advance(1s);
  const auto before = world.api.requests();
  world.beat_for(10min, "n1");
  CHECK(world.api.requests() == before);
  CHECK(world.ready(kinds::nodes, "n1") == "True");
  CHECK(world.taints("n1").empty());
}

TEST_CASE("a silent node becomes Unknown, its pods unready, later evicted, and it comes back") {
  NodeWorld world;
  world.node("n1");
  world.node("n2");
  world.pod("web", "n1", default_tolerations);
  world.pod("daemon", "n1", R"([{"operator":"Exists"}])");
  world.pod("strict", "n1");
  world.heartbeat("n1");
  world.beat_for(30s, "n2");
  CHECK(world.ready(kinds::nodes, "n1") == "True");
  world.beat_for(10s, "n2");
  world.heartbeat("n2");
  CHECK(world.ready(kinds::nodes, "n1") == "Unknown");
  CHECK(world.taints("n1") ==
        "node.kubernetes.io/unreachable:NoSchedule node.kubernetes.io/unreachable:NoExecute");
  CHECK(world.ready(kinds::pods, "d/web") == "False");
  const auto node = world.read(kinds::nodes, "n1");
  CHECK(json::string_at(*find_condition(node, "Ready"), {"reason"}) == "NodeStatusUnknown");
  CHECK(json::string_at(*find_condition(node, "Ready"), {"message"}) ==
        "Kubelet stopped posting node status.");
  CHECK(world.ready(kinds::nodes, "n2") == "True");
  CHECK(world.is_leaving("strict"));
  world.beat_for(290s, "n2");
  CHECK_FALSE(world.is_leaving("web"));
  world.beat_for(20s, "n2");
  CHECK(world.is_leaving("web"));
  CHECK_FALSE(world.is_leaving("daemon"));
  world.heartbeat("n1");
  world.api.edit(kinds::nodes, "n1", [](json::Value& value) {
    json::set(value, {"status", "conditions"},
              json::Array{json::Object{{"type", "Ready"}, {"status", "True"}}});
  });
  world.settle();
  CHECK(world.taints("n1").empty());
}

TEST_CASE("when no node is heard of, nothing is evicted") {
  NodeWorld world;
  world.node("n1");
  world.pod("web", "n1", default_tolerations);
  world.heartbeat("n1");
  world.advance(1h);
  CHECK(world.ready(kinds::nodes, "n1") == "Unknown");
  CHECK(world.taints("n1") == "node.kubernetes.io/unreachable:NoSchedule");
  CHECK_FALSE(world.is_leaving("web"));
}

TEST_CASE("conditions and cordons become taints, strangers' taints stay") {
  NodeWorld world;
  world.node("n1");
  world.api.edit(kinds::nodes, "n1", [](json::Value& value) {
    json::set(value, {"spec"}, *json::parse(R"({"unschedulable":true,"taints":[{"key":"mine",
        "effect":"NoSchedule"}]})"));
    json::set(value, {"status", "conditions"},
              *json::parse(
                  R"([{"type":"DiskPressure","status":"True"},{"type":"Ready","status":"True"}])"));
  });
  world.settle();
  CHECK(world.taints("n1") ==
        "mine:NoSchedule node.kubernetes.io/unschedulable:NoSchedule "
        "node.kubernetes.io/disk-pressure:NoSchedule");
  world.api.edit(kinds::nodes, "n1",
                 [](json::Value& value) { json::erase(value, {"spec", "unschedulable"}); });
  world.settle();
  CHECK(world.taints("n1") == "mine:NoSchedule node.kubernetes.io/disk-pressure:NoSchedule");
}

TEST_CASE("pods of a node that is gone are given up after a while") {
  NodeWorld world;
  world.node("n1");
  world.pod("web", "n1", default_tolerations);
  world.api.erase(kinds::nodes, "n1");
  world.settle();
  world.advance(39s);
  CHECK_FALSE(world.is_leaving("web"));
  world.advance(1s);
  CHECK(world.api.peek(kinds::pods, "d/web") == nullptr);
}

TEST_CASE("the oldest finished pods beyond the limit go") {
  NodeWorld world;
  world.node("n1");
  for (int i = 0; i < 5; ++i) {
    const auto name = "p" + std::to_string(i);
    world.pod(name, "n1");
    world.api.edit(kinds::pods, "d/" + name,
                   [](json::Value& value) { json::set(value, {"status", "phase"}, "Succeeded"); });
    world.advance(1s);
  }
  CHECK(world.api.peek_all(kinds::pods).size() == 3);
  CHECK(world.api.peek(kinds::pods, "d/p0") == nullptr);
  CHECK(world.api.peek(kinds::pods, "d/p4") != nullptr);
}

}  // namespace koi::controllers
