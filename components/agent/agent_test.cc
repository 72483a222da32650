#include "agent/agent.h"

#include <csignal>

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
  const client::Resource leases{"coordination.k8s.io", "v1", "leases"};
  CHECK(fixture.world.api.peek(leases, "kube-node-lease/node-1"));
}

TEST_CASE("a node's status is written when a fact changes and every five minutes") {
  AgentFixture fixture;
  const auto revision = [&] {
    return std::string(fixture.world.api.peek(nodes, "node-1")->resource_version());
  };
  const auto before = revision();
  fixture.world.advance(4min);
  CHECK(revision() == before);
  fixture.world.advance(2min);
  CHECK(revision() != before);
  fixture.machine.left.memory_available_bytes = 1 << 20;
  fixture.world.advance(11s);
  const auto node = fixture.world.api.peek(nodes, "node-1");
  const auto& pressure = json::array_at(node->value(), {"status", "conditions"}).front();
  CHECK(json::string_at(pressure, {"type"}) == "MemoryPressure");
  CHECK(json::string_at(pressure, {"status"}) == "True");
}

TEST_CASE("a node that was deleted or declared lost is put right") {
  AgentFixture fixture;
  fixture.world.api.erase(nodes, "node-1");
  fixture.world.advance(11s);
  REQUIRE(fixture.world.api.peek(nodes, "node-1"));
  fixture.world.api.edit(nodes, "node-1", [](json::Value& node) {
    auto& conditions = json::ensure_array(node, {"status", "conditions"});
    for (auto& condition : conditions) json::set(condition, {"status"}, json::Value("Unknown"));
  });
  fixture.world.advance(11s);
  const auto node = fixture.world.api.peek(nodes, "node-1");
  for (const auto& condition : json::array_at(node->value(), {"status", "conditions"})) {
    CHECK(json::string_at(condition, {"status"}) != "Unknown");
  }
}

TEST_CASE("a pod with one container goes running and ready") {
  AgentFixture fixture;
  fixture.add_pod("web");
  CHECK(fixture.phase("web") == "Running");
  CHECK(fixture.condition("web", "Ready") == "True");
  CHECK(fixture.condition("web", "PodReadyToStartContainers") == "True");
  CHECK(json::string_at(fixture.status("web"), {"podIP"}) == "10.42.0.2");
  CHECK(json::string_at(fixture.status("web"), {"hostIP"}) == "192.0.2.10");
  CHECK(json::string_at(fixture.status("web"), {"qosClass"}) == "BestEffort");
  CHECK(fixture.restarts("web") == 0);
  CHECK(fixture.count_events("Pulled", "already present on machine") == 1);
  CHECK(fixture.count_events("Created", "Container created") == 1);
  CHECK(fixture.count_events("Started", "Container started") == 1);
  const auto* spec = fixture.runtime.find_spec("uid-web", "app");
  REQUIRE(spec);
  CHECK(spec->log_path == "/logs/default_web_uid-web/app/0.log");
  CHECK(fixture.disk.files.contains("/data/pods/uid-web/etc/hosts"));
}

TEST_CASE("an idle pod costs no request") {
  AgentFixture fixture;
  fixture.add_pod("web");
  fixture.world.advance(1min);
  const auto before = fixture.world.api.requests();
  fixture.world.advance(1min);
  // The lease is renewed six times; nothing else is asked.
  CHECK(fixture.world.api.requests() - before <= 12);
}

TEST_CASE("a container that exits 3 shows it and backs off 10, 20 and 40 seconds") {
  AgentFixture fixture;
  fixture.add_pod("web");
  fixture.exit_with("web", 3);
  CHECK(fixture.restarts("web") == 1);
  std::int64_t restarts = 1;
  for (const auto wait : {10s, 20s, 40s}) {
    fixture.exit_with("web", 3);
    CHECK(fixture.waiting("web") == "CrashLoopBackOff");
    CHECK(json::int_at(fixture.container("web", "app"), {"lastState", "terminated", "exitCode"}) ==
          3);
    const auto message = "back-off " + std::to_string(wait.count()) +
                         "s restarting failed container=app pod=web_default(uid-web)";
    CHECK(json::string_at(fixture.container("web", "app"), {"state", "waiting", "message"}) ==
          message);
    fixture.world.advance(wait - 1s);
    CHECK(fixture.restarts("web") == restarts);
    fixture.world.advance(1s);
    CHECK(fixture.restarts("web") == ++restarts);
  }
  CHECK(fixture.count_events("BackOff", "Back-off restarting failed container app") == 3);
  CHECK(fixture.phase("web") == "Running");
}

TEST_CASE("memory kills, signals and failed starts have their own reasons") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"restartPolicy": "Never", "containers": [
      {"name": "a", "image": "i"}, {"name": "b", "image": "i"}, {"name": "c", "image": "i"}]})");
  runtime::ContainerExit killed;
  killed.signal = SIGKILL;
  killed.out_of_memory = true;
  fixture.runtime.exit_container("uid-web", "a", killed);
  runtime::ContainerExit interrupted;
  interrupted.signal = SIGINT;
  fixture.runtime.exit_container("uid-web", "b", interrupted);
  runtime::ContainerExit never;
  never.start_error = "exec: \"nope\": not found";
  fixture.runtime.exit_container("uid-web", "c", never);
  fixture.world.settle();
  const auto ended = [&](const char* name, const char* field) {
    return std::string(
        json::string_at(fixture.container("web", name), {"state", "terminated", field}));
  };
  const auto code = [&](const char* name) {
    return json::int_at(fixture.container("web", name), {"state", "terminated", "exitCode"}, -1);
  };
  CHECK(ended("a", "reason") == "OOMKilled");
  CHECK(code("a") == 137);
  CHECK(ended("b", "reason") == "Error");
  CHECK(code("b") == 130);
  CHECK(ended("c", "reason") == "StartError");
  CHECK(code("c") == 128);
  CHECK(fixture.phase("web") == "Failed");
  CHECK(fixture.runtime.pod_count() == 0);
}

TEST_CASE("a job's pod succeeds and gives its sandbox back") {
  AgentFixture fixture;
  fixture.add_pod("job", R"({"restartPolicy": "Never"})");
  fixture.exit_with("job", 0);
  CHECK(fixture.phase("job") == "Succeeded");
  CHECK(fixture.condition("job", "Ready") == "False");
  CHECK(json::string_at(fixture.container("job", "app"), {"state", "terminated", "reason"}) ==
        "Completed");
  CHECK(fixture.runtime.pod_count() == 0);
  CHECK(fixture.network.addresses.empty());
  fixture.remove_pod("job");
  CHECK(fixture.world.api.peek(pods, "default/job") == nullptr);
}

TEST_CASE("a missing image is waited for and found once it is imported") {
  AgentFixture fixture;
  fixture.images.missing.insert("nginx");
  fixture.add_pod("web");
  CHECK(fixture.waiting("web") == "ErrImagePull");
  CHECK(json::string_at(fixture.container("web", "app"), {"state", "waiting", "message"})
            .find("koi image import") != std::string_view::npos);
  fixture.world.advance(3s);
  CHECK(fixture.waiting("web") == "ImagePullBackOff");
  CHECK(fixture.count_events("Failed", "Error: ErrImagePull") == 1);
  CHECK(fixture.count_events("BackOff", "Back-off pulling image \"nginx\"") == 1);
  CHECK(fixture.phase("web") == "Pending");
  fixture.images.missing.clear();
  fixture.agent->images_changed();
  fixture.world.settle();
  CHECK(fixture.phase("web") == "Running");
}

TEST_CASE("a policy of Never and a malformed name have their own reasons") {
  AgentFixture fixture;
  fixture.images.missing.insert("nginx");
  fixture.add_pod("never", R"({"containers": [
      {"name": "app", "image": "nginx", "imagePullPolicy": "Never"}]})");
  CHECK(fixture.waiting("never") == "ErrImageNeverPull");
  fixture.add_pod("odd", R"({"containers": [{"name": "app", "image": "UPPER case"}]})");
  CHECK(fixture.waiting("odd") == "InvalidImageName");
}

TEST_CASE("a deleted pod is stopped with TERM, torn down and taken out of the API") {
  AgentFixture fixture;
  fixture.add_pod("web");
  fixture.remove_pod("web");
  CHECK(fixture.count_calls("signal app 15") == 1);
  CHECK(fixture.count_calls("signal app 9") == 0);
  CHECK(fixture.world.api.peek(pods, "default/web") == nullptr);
  CHECK(fixture.runtime.pod_count() == 0);
  CHECK(fixture.network.addresses.empty());
  CHECK(fixture.disk.files.empty());
  CHECK(fixture.count_events("Killing", "Stopping container app") == 1);
  CHECK(fixture.agent->pods().empty());
}

TEST_CASE("who ignores TERM is killed when the grace period is over") {
  AgentFixture fixture;
  fixture.runtime.stubborn.insert("app");
  fixture.add_pod("web");
  fixture.remove_pod("web", 5);
  fixture.world.advance(4s);
  CHECK(fixture.world.api.peek(pods, "default/web"));
  CHECK(fixture.count_calls("signal app 9") == 0);
  fixture.world.advance(1s);
  CHECK(fixture.count_calls("signal app 9") == 1);
  CHECK(fixture.world.api.peek(pods, "default/web") == nullptr);
}

TEST_CASE("a pod that vanishes from the API is killed at once") {
  AgentFixture fixture;
  fixture.runtime.stubborn.insert("app");
  fixture.add_pod("web");
  fixture.world.api.erase(pods, "default/web");
  fixture.world.settle();
  CHECK(fixture.runtime.pod_count() == 0);
  CHECK(fixture.agent->pods().empty());
}

TEST_CASE("preStop runs before TERM and its failure is told") {
  AgentFixture fixture;
  fixture.runtime.on_exec = [](const auto&) { return runtime::ExecResult{1, "no"}; };
  fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "i",
      "lifecycle": {"preStop": {"exec": {"command": ["drain"]}}}}]})");
  fixture.remove_pod("web");
  const auto& calls = fixture.runtime.calls;
  const auto hook = std::find(calls.begin(), calls.end(), "exec app");
  REQUIRE(hook != calls.end());
  CHECK(std::find(hook, calls.end(), "signal app 15") != calls.end());
  CHECK(fixture.count_events("FailedPreStopHook") == 1);
}

TEST_CASE("a postStart hook that fails restarts the container") {
  AgentFixture fixture;
  fixture.runtime.on_exec = [](const auto&) { return runtime::ExecResult{1, "no"}; };
  fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "i",
      "lifecycle": {"postStart": {"exec": {"command": ["warm"]}}}}]})");
  CHECK(fixture.count_events("FailedPostStartHook") >= 1);
  CHECK(fixture.restarts("web") >= 1);
}

TEST_CASE("a pod koi cannot run stays pending and names the field") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]})");
  CHECK(fixture.phase("web") == "Pending");
  CHECK(fixture.count_events("UnsupportedFeature", "spec.volumes[0].nfs") == 1);
  CHECK(fixture.runtime.calls.empty());
  fixture.remove_pod("web");
  CHECK(fixture.world.api.peek(pods, "default/web") == nullptr);
}

TEST_CASE("a sandbox that cannot be made is tried again") {
  AgentFixture fixture;
  int failures = 2;
  fixture.runtime.fault = [&](const std::string& call) -> std::optional<base::Error> {
    if (call != "start pod web" || failures == 0) return std::nullopt;
    --failures;
    return base::Error{base::Code::internal, "no space"};
  };
  fixture.add_pod("web");
  CHECK(fixture.phase("web") == "Pending");
  CHECK(fixture.count_events("FailedCreatePodSandBox", "no space") == 1);
  fixture.world.advance(2s);
  CHECK(fixture.phase("web") == "Running");
}

}  // namespace koi::agent
