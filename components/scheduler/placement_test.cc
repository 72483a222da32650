#include "scheduler/placement.h"

#include <doctest/doctest.h>

#include <set>

#include "testing/sim_random.h"

namespace koi::scheduler {

namespace {

// A cluster of hand-written nodes and pods.
struct Board {
  ClusterState state;
  testing::SimRandom random{1};
  std::size_t start = 0;
  int pods = 0;

  void node(std::string_view name, std::string_view extra = "{}",
            std::string_view allocatable = R"({"cpu":"2","memory":"4Gi","pods":"10"})") {
    json::Value value = *json::parse(extra);
    json::set(value, {"metadata", "name"}, json::Value(boost::json::string(name)));
    json::set(value, {"status", "allocatable"}, *json::parse(allocatable));
    json::set(value, {"metadata", "labels", "host"}, json::Value(boost::json::string(name)));
    state.set_node(api::make_object(std::move(value)));
  }

  PodFactsPtr pod(std::string_view spec, std::string_view labels = "{}") {
    json::Value value = json::Object();
    json::set(value, {"spec"}, *json::parse(spec));
    const auto name = "p" + std::to_string(++pods);
    json::set(value, {"metadata", "name"}, json::Value(boost::json::string(name)));
    json::set(value, {"metadata", "uid"}, json::Value(boost::json::string(name)));
    json::set(value, {"metadata", "namespace"}, "default");
    json::set(value, {"metadata", "labels"}, *json::parse(labels));
    return read_pod(api::make_object(std::move(value)));
  }

  Placement place(const PodFactsPtr& pod) { return scheduler::place(*pod, state, start, random); }

  // Where the pod goes, putting it there; else why not.
  std::string put(std::string_view spec, std::string_view labels = "{}") {
    const auto facts = pod(spec, labels);
    auto placement = place(facts);
    if (placement.node.empty()) return placement.rejections.message();
    state.set_pod(facts, placement.node);
    return placement.node;
  }
};

constexpr std::string_view one_core =
    R"({"containers":[{"resources":{"requests":{"cpu":"1","memory":"1Gi"}}}]})";

}  // namespace

TEST_CASE("resources run out in the words of upstream") {
  Board board;
  CHECK(board.put(one_core) == "no nodes available to schedule pods");
  board.node("a");
  board.node("b");
  std::set<std::string> used{board.put(one_core), board.put(one_core)};
  CHECK(used == std::set<std::string>{"a", "b"});
  board.put(one_core);
  board.put(one_core);
  CHECK(board.put(one_core) == "0/2 nodes are available: 2 Insufficient cpu.");
  CHECK(board.put(R"({"containers":[{"resources":{"requests":{"cpu":"1","memory":"9Gi",
      "example.com/gpu":"1"}}}]})") ==
        "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient example.com/gpu, "
        "2 Insufficient memory.");
  CHECK_FALSE(board.put("{}").empty());
}

TEST_CASE("a node takes no more pods than it allows") {
  Board board;
  board.node("a", "{}", R"({"cpu":"2","memory":"4Gi","pods":"1"})");
  CHECK(board.put("{}") == "a");
  CHECK(board.put("{}") == "0/1 nodes are available: 1 Too many pods.");
  board.state.remove_pod("p1");
  CHECK(board.put("{}") == "a");
}

TEST_CASE("taints, cordons and selectors keep pods away") {
  Board board;
  board.node("a", R"({"spec":{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}})");
  board.node("b", R"({"spec":{"unschedulable":true}})");
  board.node("c", R"({"metadata":{"labels":{"disk":"hdd","size":"5"}}})");
  CHECK(board.put(R"({"nodeSelector":{"disk":"ssd"}})") ==
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.");
  CHECK(board.put(R"({"nodeSelector":{"disk":"hdd"}})") == "c");
  CHECK(board.put(R"({"nodeSelector":{"host":"a"},
      "tolerations":[{"key":"k","operator":"Equal","value":"v"}]})") == "a");
  CHECK(board.put(R"({"nodeSelector":{"host":"b"},"tolerations":[{"operator":"Exists"}]})") == "b");
}

TEST_CASE("node affinity knows every operator") {
  Board board;
  board.node("a", R"({"metadata":{"labels":{"size":"5","zone":"x"}}})");
  const auto goes = [&board](std::string_view requirement, std::string_view list) {
    const std::string spec =
        R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":)"
        R"({"nodeSelectorTerms":[{")" +
        std::string(list) + R"(":[)" + std::string(requirement) + "]}]}}}}";
    return board.place(board.pod(spec)).node == "a";
  };
  const auto label = [&goes](std::string_view text) { return goes(text, "matchExpressions"); };
  CHECK(label(R"({"key":"zone","operator":"In","values":["x","y"]})"));
  CHECK_FALSE(label(R"({"key":"zone","operator":"NotIn","values":["x"]})"));
  CHECK(label(R"({"key":"none","operator":"NotIn","values":["x"]})"));
  CHECK(label(R"({"key":"zone","operator":"Exists"})"));
  CHECK(label(R"({"key":"none","operator":"DoesNotExist"})"));
  CHECK(label(R"({"key":"size","operator":"Gt","values":["4"]})"));
  CHECK_FALSE(label(R"({"key":"size","operator":"Gt","values":["5"]})"));
  CHECK(label(R"({"key":"size","operator":"Lt","values":["6"]})"));
  CHECK_FALSE(label(R"({"key":"zone","operator":"Lt","values":["6"]})"));
  CHECK(goes(R"({"key":"metadata.name","operator":"In","values":["a"]})", "matchFields"));
  CHECK_FALSE(goes(R"({"key":"metadata.name","operator":"NotIn","values":["a"]})", "matchFields"));
  CHECK(board
            .place(board.pod(
                R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms":[{}]}}}})"))
            .node.empty());
}

TEST_CASE("preferences choose among the nodes that fit") {
  Board board;
  board.node("a", R"({"spec":{"taints":[{"key":"k","effect":"PreferNoSchedule"}]}})");
  board.node("b");
  for (int i = 0; i < 3; ++i) CHECK(board.place(board.pod("{}")).node == "b");
  const auto pod = board.pod(
      R"({"tolerations":[{"operator":"Exists"}],"affinity":{"nodeAffinity":
      {"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":10,"preference":
      {"matchExpressions":[{"key":"host","operator":"In","values":["a"]}]}}]}}})");
  for (int i = 0; i < 3; ++i) CHECK(board.place(pod).node == "a");
}

TEST_CASE("host ports are used once per node") {
  Board board;
  board.node("a");
  constexpr std::string_view spec = R"({"containers":[{"ports":[{"hostPort":80}]}]})";
  CHECK(board.put(spec) == "a");
  CHECK(board.put(spec) ==
        "0/1 nodes are available: 1 node(s) didn't have free ports for the "
        "requested pod ports.");
  CHECK(board.put(R"({"containers":[{"ports":[{"hostPort":80,"protocol":"UDP"}]}]})") == "a");
}

TEST_CASE("init containers, sidecars and overhead count as they run") {
  const auto requests = [](std::string_view spec) {
    json::Value pod = json::Object();
    json::set(pod, {"spec"}, *json::parse(spec));
    return pod_requests(pod).milli_cpu;
  };
  const std::string main = R"("containers":[{"resources":{"requests":{"cpu":"100m"}}}])";
  CHECK(requests("{" + main + "}") == 100);
  CHECK(requests("{" + main +
                 R"(,"initContainers":[{"resources":{"requests":{"cpu":"300m"}}}]})") == 300);
  CHECK(requests("{" + main + R"(,"initContainers":[{"restartPolicy":"Always",
      "resources":{"requests":{"cpu":"50m"}}},{"resources":{"requests":{"cpu":"120m"}}}]})") ==
        170);
  CHECK(requests("{" + main + R"(,"overhead":{"cpu":"10m"}})") == 110);
  CHECK(requests("{" + main + R"(,"resources":{"requests":{"cpu":"1"}}})") == 1000);
}

TEST_CASE("anti-affinity keeps pods apart in both directions") {
  Board board;
  board.node("a");
  board.node("b");
  constexpr std::string_view apart =
      R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
      [{"labelSelector":{"matchLabels":{"app":"db"}},"topologyKey":"host"}]}}})";
  const std::set<std::string> used{board.put(apart, R"({"app":"db"})"),
                                   board.put(apart, R"({"app":"db"})")};
  CHECK(used == std::set<std::string>{"a", "b"});
  CHECK(board.put(apart, R"({"app":"db"})") ==
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
  CHECK(board.put("{}", R"({"app":"db"})") ==
        "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.");
}

TEST_CASE("affinity follows its pods, and the first of a group may start one") {
  Board board;
  board.node("a");
  board.node("b");
  constexpr std::string_view together =
      R"({"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
      [{"labelSelector":{"matchLabels":{"app":"web"}},"topologyKey":"host"}]}}})";
  CHECK(board.put(together, R"({"app":"other"})") ==
        "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.");
  const auto first = board.put(together, R"({"app":"web"})");
  CHECK(first.size() == 1);
  CHECK(board.put(together, R"({"app":"web"})") == first);
  CHECK(board.put(together, R"({"app":"other"})") == first);
}

TEST_CASE("hard topology spread bounds the skew") {
  Board board;
  board.node("a", R"({"metadata":{"labels":{"zone":"x"}}})");
  board.node("b", R"({"metadata":{"labels":{"zone":"y"}}})");
  board.node("c");
  constexpr std::string_view spec = R"({"topologySpreadConstraints":[{"maxSkew":1,
      "topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule",
      "labelSelector":{"matchLabels":{"app":"web"}}}]})";
  const std::set<std::string> first{board.put(spec, R"({"app":"web"})"),
                                    board.put(spec, R"({"app":"web"})")};
  CHECK(first == std::set<std::string>{"a", "b"});
  board.node("b", R"({"metadata":{"labels":{"zone":"y"}},"spec":{"unschedulable":true}})");
  CHECK(board.put(spec, R"({"app":"web"})") == "a");
  CHECK(board.put(spec, R"({"app":"web"})") ==
        "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 "
        "node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) "
        "were unschedulable.");
}

TEST_CASE("large clusters are searched in part, small ones whole") {
  CHECK(candidates_wanted(3) == 3);
  CHECK(candidates_wanted(100) == 100);
  CHECK(candidates_wanted(1'000) == 420);
  CHECK(candidates_wanted(5'000) == 500);
  CHECK(candidates_wanted(20'000) == 1'000);
}

}  // namespace koi::scheduler
