#include "simulation/sim_cluster.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

namespace koi::simulation {

namespace {

using namespace std::chrono_literals;

const client::Resource deployments{"apps", "v1", "deployments"};
const client::Resource pods{"", "v1", "pods"};
const client::Resource nodes{"", "v1", "nodes"};
const client::Resource events{"", "v1", "events"};

json::Value deployment(const std::string& name, int replicas) {
  auto value = json::parse(R"({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {},
    "spec": {"template": {"metadata": {}, "spec": {"containers": [
      {"name": "app", "image": "app", "resources": {"requests": {"cpu": "50m"}}}]}}}})");
  REQUIRE(value);
  json::set(*value, {"metadata", "name"}, json::Value(name));
  json::set(*value, {"spec", "replicas"}, replicas);
  json::set(*value, {"spec", "selector", "matchLabels", "app"}, json::Value(name));
  json::set(*value, {"spec", "template", "metadata", "labels", "app"}, json::Value(name));
  return std::move(*value);
}

bool is_ready(const json::Value& object) {
  for (const json::Value& condition : json::array_at(object, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "Ready") {
      return json::string_at(condition, {"status"}) == "True";
    }
  }
  return false;
}

// What a user would call done: as many ready pods as asked for, and no other pod.
bool has_converged(const SimCluster& cluster, const std::map<std::string, int>& wanted) {
  std::map<std::string, int> ready;
  for (const auto& pod : cluster.objects(pods)) {
    const std::string app(json::string_at(pod->value(), {"metadata", "labels", "app"}));
    if (!is_ready(pod->value()) || pod->is_terminating()) return false;
    ++ready[app];
  }
  std::erase_if(ready, [](const auto& entry) { return entry.second == 0; });
  std::map<std::string, int> expected = wanted;
  std::erase_if(expected, [](const auto& entry) { return entry.second == 0; });
  return ready == expected;
}

std::string describe(const SimCluster& cluster) {
  std::string text;
  for (const auto& pod : cluster.objects(pods)) {
    text += std::string(pod->name()) + " on " +
            std::string(json::string_at(pod->value(), {"spec", "nodeName"})) + " " +
            std::string(json::string_at(pod->value(), {"status", "phase"})) +
            (pod->is_terminating() ? " terminating" : "") +
            (is_ready(pod->value()) ? " ready\n" : "\n");
    if (!is_ready(pod->value())) {
      text += "  " + json::serialize(json::object_at(pod->value(), {"status"})) + "\n";
    }
  }
  for (const auto& event : cluster.objects(events)) {
    if (json::string_at(event->value(), {"type"}) != "Warning") continue;
    text += std::string(json::string_at(event->value(), {"involvedObject", "name"})) + ": " +
            std::string(json::string_at(event->value(), {"message"})) + "\n";
  }
  return text;
}

// One run: changes, crashes and restarts as the seed says. Returns its trace.
std::uint64_t run_seed(std::uint64_t seed) {
  CAPTURE(seed);
  SimCluster cluster(seed, 3);
  base::Random& chance = cluster.random();
  std::map<std::string, int> acknowledged;
  for (int step = 0; step < 12; ++step) {
    const std::string name = "app-" + std::to_string(chance.below(3));
    const int replicas = static_cast<int>(chance.below(5));
    const client::ObjectRef ref{.resource = deployments, .name_space = "default", .name = name};
    if (!acknowledged.contains(name)) {
      if (cluster.await(cluster.admin().create(ref, deployment(name, replicas)))) {
        acknowledged[name] = replicas;
      }
    } else {
      json::Value patch;
      json::set(patch, {"spec", "replicas"}, replicas);
      if (cluster.await(cluster.admin().patch(ref, client::PatchType::merge, patch))) {
        acknowledged[name] = replicas;
      }
    }
    cluster.run_for(std::chrono::milliseconds(chance.below(3000)));
    if (chance.below(3) == 0) {
      cluster.crash_server();
      cluster.run_for(std::chrono::milliseconds(chance.below(20'000)));
      cluster.boot_server();
      for (const auto& [app, count] : acknowledged) {
        const client::ObjectRef kept{.resource = deployments, .name_space = "default", .name = app};
        const auto found = cluster.await(cluster.admin().get(kept));
        REQUIRE(found);
        CHECK(json::int_at((*found)->value(), {"spec", "replicas"}) == count);
      }
    }
    if (chance.below(4) == 0) cluster.restart_agent(chance.below(3));
  }
  const bool converged =
      cluster.run_until(15min, [&] { return has_converged(cluster, acknowledged); });
  CAPTURE(describe(cluster));
  CHECK(converged);
  return cluster.trace();
}

std::uint64_t seeds() {
  const char* wanted = std::getenv("KOI_SIM_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 200;
}

}  // namespace

TEST_CASE("three hollow nodes register and become ready") {
  SimCluster cluster(1, 3);
  const bool ready = cluster.run_until(1min, [&] {
    int count = 0;
    for (const auto& node : cluster.objects(nodes)) count += is_ready(node->value()) ? 1 : 0;
    return count == 3;
  });
  CHECK(ready);
}

TEST_CASE("create, crash, restart: every seed converges to what was acknowledged") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run_seed(seed);
}

TEST_CASE("a seed replays identically") { CHECK(run_seed(7) == run_seed(7)); }

}  // namespace koi::simulation
