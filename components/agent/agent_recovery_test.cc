#include "agent/agent_fixture.h"

namespace koi::agent {

namespace {

const client::Resource config_maps{"", "v1", "configmaps"};

json::Value make_config_map(const std::string& name, const std::string& value) {
  auto map = json::parse(R"({"apiVersion": "v1", "kind": "ConfigMap",
      "metadata": {"namespace": "default"}})");
  json::set(*map, {"metadata", "name"}, json::Value(name));
  json::set(*map, {"data", "key"}, json::Value(value));
  return std::move(*map);
}

}  // namespace

TEST_CASE("a restarted agent adopts what runs and restarts nothing") {
  AgentFixture fixture;
  fixture.add_pod("web");
  fixture.exit_with("web", 1);
  const std::string before(json::string_at(fixture.container("web", "app"), {"containerID"}));
  const auto since = fixture.status("web");
  fixture.halt();
  fixture.world.advance(1h);
  fixture.runtime.calls.clear();
  fixture.boot();
  CHECK(fixture.count_calls("start container app") == 0);
  CHECK(fixture.restarts("web") == 1);
  CHECK(json::string_at(fixture.container("web", "app"), {"containerID"}) == before);
  CHECK(fixture.condition("web", "Ready") == "True");
  CHECK(fixture.status("web") == since);
  fixture.exit_with("web", 1);
  fixture.world.advance(30s);
  CHECK(fixture.restarts("web") == 2);
}

TEST_CASE("what ended or was deleted while the agent was away is caught up with") {
  AgentFixture fixture;
  fixture.add_pod("crashed");
  fixture.add_pod("deleted");
  fixture.add_pod("vanished");
  fixture.halt();
  fixture.exit_with("crashed", 1);
  fixture.remove_pod("deleted");
  fixture.world.api.erase(pods, "default/vanished");
  fixture.boot();
  fixture.world.advance(1min);
  CHECK(fixture.restarts("crashed") == 1);
  CHECK(fixture.world.api.peek(pods, "default/deleted") == nullptr);
  CHECK(fixture.runtime.find_pod("uid-vanished") == nullptr);
  CHECK(fixture.runtime.pod_count() == 1);
}

TEST_CASE("after a reboot pods start again and their restart counts go up") {
  AgentFixture fixture;
  fixture.add_pod("web");
  fixture.add_pod("once", R"({"restartPolicy": "Never"})");
  fixture.halt();
  fixture.runtime.reboot();
  fixture.boot();
  fixture.world.advance(1min);
  CHECK(fixture.phase("web") == "Running");
  CHECK(fixture.restarts("web") == 1);
  CHECK(json::int_at(fixture.container("web", "app"), {"lastState", "terminated", "exitCode"}) ==
        137);
  CHECK(fixture.phase("once") == "Failed");
}

TEST_CASE("a lost sandbox is made anew and init containers run again") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"initContainers": [{"name": "first", "image": "i"}]})");
  fixture.exit_with("web", 0, "first");
  CHECK(fixture.phase("web") == "Running");
  fixture.runtime.lose_pod("uid-web");
  fixture.world.settle();
  CHECK(fixture.count_events("SandboxChanged") == 1);
  CHECK(fixture.count_calls("start container first") == 2);
  fixture.exit_with("web", 0, "first");
  fixture.world.advance(30s);
  CHECK(fixture.condition("web", "Ready") == "True");
  CHECK(fixture.restarts("web") == 1);
}

TEST_CASE("a finished pod stays finished across a restart") {
  AgentFixture fixture;
  fixture.add_pod("job", R"({"restartPolicy": "Never"})");
  fixture.exit_with("job", 0);
  const auto before = fixture.status("job");
  fixture.halt();
  fixture.runtime.calls.clear();
  fixture.boot();
  CHECK(fixture.status("job") == before);
  CHECK(fixture.count_calls("start container app") == 0);
}

TEST_CASE("an API that cannot be written keeps no container from restarting") {
  AgentFixture fixture;
  fixture.add_pod("web");
  bool broken = true;
  fixture.world.api.set_fault(
      [&](std::string_view verb, const client::ObjectRef&) -> std::optional<base::Error> {
        if (!broken || verb == "get" || verb == "list") return std::nullopt;
        return base::Error{base::Code::unavailable, "down"};
      });
  fixture.exit_with("web", 1);
  CHECK(fixture.count_calls("start container app") == 2);
  CHECK(fixture.restarts("web") == 0);
  broken = false;
  fixture.world.advance(1min);
  CHECK(fixture.restarts("web") == 1);
}

TEST_CASE("a status written by others at the same time is kept") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"readinessGates": [{"conditionType": "example.com/gate"}]})");
  CHECK(fixture.condition("web", "ContainersReady") == "True");
  CHECK(fixture.condition("web", "Ready") == "False");
  fixture.world.api.edit(pods, "default/web", [](json::Value& pod) {
    json::ensure_array(pod, {"status", "conditions"})
        .push_back(json::Object{{"type", "example.com/gate"}, {"status", "True"}});
  });
  fixture.world.settle();
  CHECK(fixture.condition("web", "Ready") == "True");
  CHECK(fixture.condition("web", "example.com/gate") == "True");
}

TEST_CASE("a volume waits for its ConfigMap and follows it") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"volumes": [{"name": "cfg", "configMap": {"name": "settings"}}]})");
  CHECK(fixture.phase("web") == "Pending");
  CHECK(fixture.waiting("web") == "ContainerCreating");
  CHECK(fixture.count_events("FailedMount", "configmap \"settings\" not found") >= 1);
  fixture.world.api.put(config_maps, make_config_map("settings", "one"));
  fixture.world.settle();
  CHECK(fixture.phase("web") == "Running");
  const std::string volume = "/data/pods/uid-web/volumes/cfg";
  CHECK(fixture.disk.volumes[volume]["key"].content == "one");
  fixture.world.api.put(config_maps, make_config_map("settings", "two"));
  fixture.world.settle();
  CHECK(fixture.disk.volumes[volume]["key"].content == "two");
}

TEST_CASE("a variable whose ConfigMap is missing is a config error until it comes") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "i", "env": [{"name": "X",
      "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "key"}}}]}]})");
  CHECK(fixture.waiting("web") == "CreateContainerConfigError");
  CHECK(json::string_at(fixture.container("web", "app"), {"state", "waiting", "message"}) ==
        "configmap \"settings\" not found");
  fixture.world.api.put(config_maps, make_config_map("settings", "one"));
  fixture.world.settle();
  CHECK(fixture.phase("web") == "Running");
  const auto& env = fixture.runtime.find_spec("uid-web", "app")->env;
  CHECK(std::find(env.begin(), env.end(), "X=one") != env.end());
}

TEST_CASE("liveness failures restart the container") {
  AgentFixture fixture;
  fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "i", "livenessProbe":
      {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5, "failureThreshold": 2}}]})");
  CHECK(fixture.restarts("web") == 0);
  fixture.prober.answer = {false, "HTTP probe failed with statuscode: 500"};
  fixture.world.advance(11s);
  CHECK(fixture.count_events("Unhealthy",
                             "Liveness probe failed: HTTP probe failed with statuscode: 500") >= 2);
  CHECK(fixture.count_events("Killing", "failed liveness probe, will be restarted") == 1);
  CHECK(fixture.restarts("web") == 1);
}

TEST_CASE("readiness decides whether the pod is ready, and nothing else") {
  AgentFixture fixture;
  fixture.prober.answer.success = false;
  fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "i", "readinessProbe":
      {"tcpSocket": {"port": 80}, "periodSeconds": 5}}]})");
  CHECK(fixture.phase("web") == "Running");
  CHECK(fixture.condition("web", "Ready") == "False");
  fixture.prober.answer.success = true;
  fixture.world.advance(6s);
  CHECK(fixture.condition("web", "Ready") == "True");
  fixture.prober.answer.success = false;
  fixture.world.advance(16s);
  CHECK(fixture.condition("web", "Ready") == "False");
  CHECK(fixture.restarts("web") == 0);
}

TEST_CASE("other probes wait for the startup probe") {
  AgentFixture fixture;
  int code = 1;
  fixture.runtime.on_exec = [&](const auto&) { return runtime::ExecResult{code, ""}; };
  fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "i",
      "startupProbe": {"exec": {"command": ["up"]}, "periodSeconds": 1, "failureThreshold": 30},
      "readinessProbe": {"tcpSocket": {"port": 80}}}]})");
  fixture.world.advance(5s);
  CHECK(fixture.prober.calls == 0);
  CHECK(fixture.condition("web", "Ready") == "False");
  code = 0;
  fixture.world.advance(2s);
  CHECK(fixture.prober.calls >= 1);
  CHECK(fixture.condition("web", "Ready") == "True");
  CHECK(json::bool_at(fixture.container("web", "app"), {"started"}));
}

TEST_CASE("a pod past its deadline fails with the reason") {
  AgentFixture fixture;
  fixture.add_pod("slow", R"({"activeDeadlineSeconds": 30})");
  CHECK(fixture.phase("slow") == "Running");
  fixture.world.advance(31s);
  CHECK(fixture.phase("slow") == "Failed");
  CHECK(json::string_at(fixture.status("slow"), {"reason"}) == "DeadlineExceeded");
  CHECK(fixture.runtime.pod_count() == 0);
}

TEST_CASE("logs are found by attempt, and waiting containers say why they have none") {
  AgentFixture fixture;
  fixture.images.missing.insert("later");
  fixture.add_pod("web");
  fixture.add_pod("none", R"({"containers": [{"name": "app", "image": "later"}]})");
  auto& agent = *fixture.agent;
  CHECK(agent.find_log("default", "web", "app", false)->running);
  CHECK(agent.find_log("default", "web", "app", true).error().message ==
        "previous terminated container \"app\" in pod \"web\" not found");
  CHECK(agent.find_log("default", "none", "app", false).error().message ==
        "container \"app\" in pod \"none\" is waiting to start: trying and failing to pull image");
  CHECK(agent.find_log("default", "web", "x", false).error().code == base::Code::invalid);
  CHECK(agent.find_log("default", "gone", "app", false).error().code == base::Code::not_found);
  fixture.exit_with("web", 1);
  CHECK(agent.find_log("default", "web", "app", false)->path.filename() == "1.log");
  CHECK(agent.find_log("default", "web", "app", true)->path.filename() == "0.log");
}

}  // namespace koi::agent
