#include "agent/agent_fixture.h"

namespace koi::agent {

TEST_CASE("an agent registers its node and posts it ready") {
  AgentFixture fixture;
  const auto node = fixture.world.api.peek(nodes, "node-1");
  REQUIRE(node);
  CHECK(json::string_at(node->value(), {"metadata", "labels", "kubernetes.io/hostname"}) ==
        "node-1");
  CHECK(json::string_at(node->value(), {"status", "capacity", "memory"}) == "8388608Ki");
  CHECK(fixture.agent->is_ready());
}

TEST_CASE("a pod with one container goes running and ready") {
  AgentFixture fixture;
  fixture.add_pod("web");
  CHECK(fixture.phase("web") == "Running");
  CHECK(fixture.condition("web", "Ready") == "True");
  CHECK(json::string_at(fixture.status("web"), {"podIP"}) == "10.42.0.2");
  CHECK(fixture.restarts("web") == 0);
  CHECK(fixture.count_events("Started", "Container started") == 1);
}

}  // namespace koi::agent
