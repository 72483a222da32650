#include "scheduler/scheduler.h"

#include <doctest/doctest.h>

#include "base/os.h"
#include "client/object_key.h"
#include "client/test_world.h"

namespace koi::scheduler {

namespace {

using namespace std::chrono_literals;
using client::text;

const client::Resource pods{.group = "", .version = "v1", .plural = "pods"};
const client::Resource nodes{.group = "", .version = "v1", .plural = "nodes"};
const client::Resource events{.group = "", .version = "v1", .plural = "events"};

struct SchedulerWorld : client::TestWorld {
  Scheduler scheduler{api, clock, random, io.get_executor(), SchedulerOptions{}};

  ~SchedulerWorld() { await(scheduler.stop()); }

  void node(std::string_view name, std::string_view cpu = "2") {
    json::Value value = *json::parse(
        R"({"apiVersion":"v1","kind":"Node","status":{"allocatable":{"memory":"4Gi",
        "pods":"110"}}})");
    json::set(value, {"metadata", "name"}, text(name));
    json::set(value, {"status", "allocatable", "cpu"}, text(cpu));
    api.put(nodes, std::move(value));
  }

  void pod(std::string_view name, std::string_view spec = "{}") {
    json::Value value = *json::parse(R"({"apiVersion":"v1","kind":"Pod"})");
    json::set(value, {"metadata", "name"}, text(name));
    json::set(value, {"metadata", "namespace"}, "default");
    json::set(value, {"spec"}, *json::parse(spec));
    api.put(pods, std::move(value));
  }

  std::string node_of(std::string_view name) {
    const auto found = api.peek(pods, "default/" + std::string(name));
    return found != nullptr ? std::string(json::string_at(found->value(), {"spec", "nodeName"}))
                            : "gone";
  }

  std::string condition_of(std::string_view name) {
    const auto found = api.peek(pods, "default/" + std::string(name));
    for (const auto& each : json::array_at(found->value(), {"status", "conditions"})) {
      if (json::string_at(each, {"type"}) != "PodScheduled") continue;
      return std::string(json::string_at(each, {"status"})) + " " +
             std::string(json::string_at(each, {"reason"})) + " " +
             std::string(json::string_at(each, {"message"}));
    }
    return "";
  }

  std::vector<std::string> event_texts() {
    std::vector<std::string> texts;
    for (const auto& event : api.peek_all(events)) {
      texts.push_back(std::string(json::string_at(event->value(), {"reason"})) + ": " +
                      std::string(json::string_at(event->value(), {"message"})));
    }
    return texts;
  }
};

constexpr std::string_view two_cores = R"({"containers":[{"resources":{"requests":{"cpu":"2"}}}]})";

}  // namespace

TEST_CASE("a pod is bound, and says so") {
  SchedulerWorld world;
  world.node("n1");
  world.pod("a");
  world.scheduler.start();
  world.settle();
  CHECK(world.node_of("a") == "n1");
  CHECK(world.event_texts() ==
        std::vector<std::string>{"Scheduled: Successfully assigned default/a to n1"});
  CHECK(world.scheduler.pending() == 0);
}

TEST_CASE("a pod that fits nowhere says why and goes when there is room") {
  SchedulerWorld world;
  world.node("n1");
  world.scheduler.start();
  world.settle();
  world.pod("a", two_cores);
  world.settle();
  world.pod("b", two_cores);
  world.settle();
  CHECK(world.node_of("a") == "n1");
  CHECK(world.node_of("b").empty());
  const std::string why = "0/1 nodes are available: 1 Insufficient cpu.";
  CHECK(world.condition_of("b") == "False Unschedulable " + why);
  CHECK(world.event_texts().back() == "FailedScheduling: " + why);
  SUBCASE("when a pod goes") { world.api.erase(pods, "default/a"); }
  SUBCASE("when a pod ends") {
    world.api.edit(pods, "default/a",
                   [](json::Value& pod) { json::set(pod, {"status", "phase"}, "Succeeded"); });
  }
  SUBCASE("when a node comes") { world.node("n2"); }
  world.advance(1s);
  CHECK(world.node_of("b").substr(0, 1) == "n");
}

TEST_CASE("an idle scheduler asks nothing of the API") {
  SchedulerWorld world;
  world.node("n1");
  world.pod("a", two_cores);
  world.pod("b", two_cores);
  world.scheduler.start();
  world.advance(1min);
  const auto before = world.api.requests();
  world.advance(24h);
  CHECK(world.api.requests() == before);
}

TEST_CASE("pods of other schedulers, gated and terminating ones are left alone") {
  SchedulerWorld world;
  world.node("n1");
  world.pod("other", R"({"schedulerName":"mine"})");
  world.pod("gated", R"({"schedulingGates":[{"name":"wait"}]})");
  world.scheduler.start();
  world.settle();
  CHECK(world.node_of("other").empty());
  CHECK(world.node_of("gated").empty());
  world.api.edit(pods, "default/gated",
                 [](json::Value& pod) { json::erase(pod, {"spec", "schedulingGates"}); });
  world.settle();
  CHECK(world.node_of("gated") == "n1");
}

TEST_CASE("what koi cannot honour yet is refused by name") {
  SchedulerWorld world;
  world.node("n1");
  world.pod("a", R"({"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"c"}}]})");
  world.scheduler.start();
  world.settle();
  CHECK(world.condition_of("a") ==
        "False Unschedulable volume \"data\": koi does not support 'persistentVolumeClaim' "
        "volumes yet");
}

TEST_CASE("a failed binding is tried again") {
  SchedulerWorld world;
  world.node("n1");
  world.pod("a", two_cores);
  int failures = 2;
  world.api.set_fault([&failures](std::string_view verb,
                                  const client::ObjectRef& ref) -> std::optional<base::Error> {
    if (verb != "create" || ref.subresource != "binding" || failures == 0) return std::nullopt;
    --failures;
    return base::Error{.code = base::Code::unavailable, .message = "later"};
  });
  world.scheduler.start();
  world.settle();
  CHECK(world.node_of("a").empty());
  world.advance(10s);
  CHECK(world.node_of("a") == "n1");
}

TEST_CASE("many pods on many nodes: thousands a second") {
  SchedulerWorld world;
  constexpr int node_count = 5'000;
  constexpr int pod_count = 2'000;
  for (int i = 0; i < node_count; ++i) world.node("n" + std::to_string(i), "32");
  world.scheduler.start();
  world.settle();
  for (int i = 0; i < pod_count; ++i) {
    world.pod("p" + std::to_string(i),
              R"({"containers":[{"resources":{"requests":{"cpu":"100m","memory":"64Mi"}}}]})");
  }
  const auto machine = base::make_os_clock();
  const auto begin = machine->now();
  world.settle();
  const auto spent = std::chrono::duration<double>(machine->now() - begin).count();
  MESSAGE("scheduled " << static_cast<int>(pod_count / spent) << " pods/s on " << node_count
                       << " nodes");
  int bound = 0;
  for (const auto& pod : world.api.peek_all(pods)) {
    if (!json::string_at(pod->value(), {"spec", "nodeName"}).empty()) ++bound;
  }
  CHECK(bound == pod_count);
}

}  // namespace koi::scheduler
