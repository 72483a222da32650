#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "agent/hollow.h"
#include "base/blocking_pool.h"
#include "client/test_world.h"

namespace koi::agent {

using namespace std::chrono_literals;

inline const client::Resource pods{"", "v1", "pods"};
inline const client::Resource nodes{"", "v1", "nodes"};
inline const client::Resource events{"", "v1", "events"};

// One hollow node and its agent, over an API in memory, in simulated time.
struct AgentFixture {
  client::TestWorld world;
  base::BlockingPool pool{"test", 0};
  HollowRuntime runtime{world.io.get_executor(), world.clock, world.random};
  HollowImages images;
  HollowNetwork network;
  HollowDisk disk;
  HollowProber prober;
  HollowMachine machine;
  std::unique_ptr<Agent> agent;

  AgentFixture() { boot(); }
  ~AgentFixture() { halt(); }

  void boot() {
    AgentOptions options;
    options.node_name = "node-1";
    options.node_ip = "192.0.2.10";
    options.data_dir = "/data";
    options.log_dir = "/logs";
    options.pod_cidr = "10.42.0.0/24";
    AgentDoors doors{world.clock, world.random, pool, world.api, runtime,
                     images,      network,      disk, prober,    machine};
    agent = std::make_unique<Agent>(doors, options, world.io.get_executor());
    agent->start();
    world.settle();
  }

  // Stops the agent as a restart of koi would: what runs goes on.
  void halt() {
    if (!agent) return;
    world.await(agent->stop());
    agent.reset();
  }

  // A pod bound to the node. `spec` is merged over one container "app" of image "nginx".
  api::ObjectPtr add_pod(const std::string& name, std::string_view spec = "{}") {
    auto pod = json::parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {
      "containers": [{"name": "app", "image": "nginx"}], "nodeName": "node-1"},
      "status": {"phase": "Pending"}})");
    json::set(*pod, {"metadata", "name"}, json::Value(name));
    json::set(*pod, {"metadata", "namespace"}, json::Value("default"));
    json::set(*pod, {"metadata", "uid"}, json::Value("uid-" + name));
    const auto overlay = json::parse(spec);
    REQUIRE(overlay);
    for (const auto& member : overlay->as_object()) {
      json::set(*pod, {"spec", member.key()}, member.value());
    }
    auto stored = world.api.put(pods, std::move(*pod));
    world.settle();
    return stored;
  }

  void remove_pod(const std::string& name, std::optional<std::int64_t> grace = std::nullopt) {
    client::ObjectRef ref;
    ref.resource = pods;
    ref.name_space = "default";
    ref.name = name;
    client::DeleteOptions options;
    options.grace_period_seconds = grace;
    REQUIRE(world.await(world.api.remove(ref, options)));
    world.settle();
  }

  json::Value status(const std::string& name) const {
    const auto pod = world.api.peek(pods, "default/" + name);
    if (!pod) return nullptr;
    const auto* found = json::find(pod->value(), {"status"});
    return found ? *found : json::Value(json::Object{});
  }

  std::string phase(const std::string& name) const {
    return std::string(json::string_at(status(name), {"phase"}));
  }

  // One member of the container's state, as "waiting.reason" would be.
  json::Value container(const std::string& pod, const std::string& name) const {
    const auto whole = status(pod);
    for (const auto* list : {"initContainerStatuses", "containerStatuses"}) {
      for (const auto& entry : json::array_at(whole, {list})) {
        if (json::string_at(entry, {"name"}) == name) return entry;
      }
    }
    return nullptr;
  }

  std::string waiting(const std::string& pod, const std::string& name = "app") const {
    return std::string(json::string_at(container(pod, name), {"state", "waiting", "reason"}));
  }

  std::int64_t restarts(const std::string& pod, const std::string& name = "app") const {
    return json::int_at(container(pod, name), {"restartCount"}, -1);
  }

  std::string condition(const std::string& pod, const std::string& type) const {
    for (const auto& entry : json::array_at(status(pod), {"conditions"})) {
      if (json::string_at(entry, {"type"}) == type) {
        return std::string(json::string_at(entry, {"status"}));
      }
    }
    return "";
  }

  void exit_with(const std::string& pod, int code, const std::string& name = "app") {
    runtime::ContainerExit exit;
    exit.code = code;
    runtime.exit_container("uid-" + pod, name, exit);
    world.settle();
  }

  std::size_t count_calls(const std::string& call) const {
    return static_cast<std::size_t>(std::count(runtime.calls.begin(), runtime.calls.end(), call));
  }

  // How many events of that reason were recorded, whose message contains the text.
  std::size_t count_events(const std::string& reason, const std::string& text = "") const {
    std::size_t count = 0;
    for (const auto& event : world.api.peek_all(events)) {
      const auto message = json::string_at(event->value(), {"message"});
      if (json::string_at(event->value(), {"reason"}) != reason) continue;
      if (message.find(text) == std::string_view::npos) continue;
      count += static_cast<std::size_t>(json::int_at(event->value(), {"count"}, 1));
    }
    return count;
  }
};

}  // namespace koi::agent
