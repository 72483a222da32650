#include "agent/plan.h"

#include <doctest/doctest.h>

#include "agent/pod_status.h"

namespace koi::agent {

namespace {

using namespace std::chrono_literals;

const Now start{base::MonoTime(1000s), base::WallTime(std::chrono::seconds(1'800'000'000))};

PodView make_pod(std::string_view spec, std::string_view metadata = "{}") {
  auto pod = json::parse(R"({"apiVersion": "v1", "kind": "Pod"})");
  json::set(*pod, {"metadata"}, *json::parse(metadata));
  json::set(*pod, {"metadata", "uid"}, json::Value("uid-1"));
  json::set(*pod, {"spec"}, *json::parse(spec));
  return view_pod(api::make_object(std::move(*pod)));
}

PodView one_container(const std::string& policy) {
  return make_pod(R"({"containers": [{"name": "app", "image": "i"}], "restartPolicy": ")" + policy +
                  "\"}");
}

PodObserved set_up() {
  PodObserved seen;
  seen.volumes_ready = seen.sandbox_up = seen.network_ready = seen.initialized = true;
  return seen;
}

void run(PodObserved& seen, const std::string& name, std::uint32_t attempt = 0) {
  runtime::ContainerState state;
  state.name = name;
  state.attempt = attempt;
  state.id = name + std::to_string(attempt);
  auto& container = seen.containers[name];
  container.latest = state;
  container.next_attempt = attempt + 1;
  container.ready = container.started = true;
}

void end(PodObserved& seen, const std::string& name, int code) {
  auto& container = seen.containers[name];
  if (!container.latest) run(seen, name);
  runtime::ContainerExit exit;
  exit.code = code;
  container.latest->exit = exit;
  container.exited_at = start.mono;
  container.ready = container.started = false;
}

// The kinds of the planned actions, and the containers that they name.
std::string words(const Plan& plan) {
  std::string text;
  for (const auto& action : plan.actions) {
    if (!text.empty()) text += ", ";
    if (std::holds_alternative<action::PrepareVolumes>(action)) text += "volumes";
    if (std::holds_alternative<action::StartSandbox>(action)) text += "sandbox";
    if (std::holds_alternative<action::AttachNetwork>(action)) text += "network";
    if (std::holds_alternative<action::MarkInitialized>(action)) text += "initialized";
    if (std::holds_alternative<action::BeginEnd>(action)) text += "end";
    if (std::holds_alternative<action::TearDown>(action)) text += "teardown";
    if (std::holds_alternative<action::FailPod>(action)) text += "fail";
    if (const auto* step = std::get_if<action::StartContainer>(&action))
      text += "start " + step->name;
    if (const auto* step = std::get_if<action::BackOff>(&action)) text += "backoff " + step->name;
    if (const auto* step = std::get_if<action::BeginStop>(&action)) text += "stop " + step->name;
    if (const auto* step = std::get_if<action::Signal>(&action)) {
      text += (step->kill ? "kill " : "term ") + step->name;
    }
  }
  return text;
}

std::string plan(const PodView& pod, const PodObserved& seen, base::Duration later = 0s) {
  return words(plan_sync(pod, seen, Now{start.mono + later, start.wall + later}));
}

}  // namespace

TEST_CASE("a new pod is set up step by step") {
  const auto pod = one_container("Always");
  PodObserved seen;
  CHECK(plan(pod, seen) == "volumes");
  seen.volumes_ready = true;
  CHECK(plan(pod, seen) == "sandbox");
  seen.sandbox_up = true;
  CHECK(plan(pod, seen) == "network");
  seen.network_ready = true;
  CHECK(plan(pod, seen) == "initialized");
  seen.initialized = true;
  CHECK(plan(pod, seen) == "start app");
  run(seen, "app");
  CHECK(plan(pod, seen) == "");
}

TEST_CASE("what failed to be set up is tried again when its wait is over") {
  const auto pod = one_container("Always");
  PodObserved seen;
  seen.waiting = Waiting{"FailedMount", "", start.mono + 5s};
  CHECK(plan(pod, seen) == "");
  CHECK(plan_sync(pod, seen, start).wake_at == start.mono + 5s);
  CHECK(plan(pod, seen, 5s) == "volumes");
}

TEST_CASE("a container that ended is treated as its restart policy says") {
  struct Case {
    const char* policy;
    int code;
    const char* plan;
    const char* phase;
  };
  const Case cases[] = {
      {"Always", 0, "start app", "Running"}, {"Always", 1, "start app", "Running"},
      {"OnFailure", 0, "end", "Succeeded"},  {"OnFailure", 1, "start app", "Running"},
      {"Never", 0, "end", "Succeeded"},      {"Never", 1, "end", "Failed"}};
  for (const auto& expected : cases) {
    CAPTURE(expected.policy);
    CAPTURE(expected.code);
    const auto pod = one_container(expected.policy);
    auto seen = set_up();
    end(seen, "app", expected.code);
    CHECK(plan(pod, seen) == expected.plan);
    CHECK(pod_phase(pod, seen) == expected.phase);
  }
}

TEST_CASE("a crash is followed by 0, 10, 20, 40 and at most 300 seconds of waiting") {
  CrashBackoff backoff;
  auto time = start.mono;
  const base::Duration expected[] = {0s, 10s, 20s, 40s, 80s, 160s, 300s, 300s};
  for (const auto wait : expected) {
    CHECK(backoff.not_before(time) - time == wait);
    const auto again = backoff.not_before(time);
    backoff.advance(time, again);
    time = again + 1s;
  }
  // Ten minutes of running are enough to begin anew.
  time += 11min;
  backoff.advance(time, time);
  CHECK(backoff.delay() == 10s);
}

TEST_CASE("a container that crashed again waits in CrashLoopBackOff") {
  const auto pod = one_container("Always");
  auto seen = set_up();
  end(seen, "app", 1);
  auto& app = seen.containers["app"];
  app.crash_backoff.advance(start.mono, start.mono);
  CHECK(plan(pod, seen) == "backoff app");
  app.waiting = Waiting{"CrashLoopBackOff", "", start.mono + 10s};
  CHECK(plan(pod, seen, 9s) == "");
  CHECK(plan(pod, seen, 10s) == "start app");
}

TEST_CASE("init containers run one after the other before the rest") {
  const auto pod = make_pod(R"({"initContainers": [{"name": "a"}, {"name": "b"}],
      "containers": [{"name": "app"}]})");
  auto seen = set_up();
  seen.initialized = false;
  CHECK(plan(pod, seen) == "start a");
  run(seen, "a");
  CHECK(plan(pod, seen) == "");
  end(seen, "a", 0);
  CHECK(plan(pod, seen) == "start b");
  end(seen, "b", 1);
  CHECK(plan(pod, seen) == "start b");
  end(seen, "b", 0);
  CHECK(plan(pod, seen) == "initialized");
  CHECK(pod_phase(pod, seen) == "Pending");
}

TEST_CASE("a failed init container fails a pod that never restarts") {
  const auto pod = make_pod(R"({"restartPolicy": "Never", "initContainers": [{"name": "a"}],
      "containers": [{"name": "app"}]})");
  auto seen = set_up();
  seen.initialized = false;
  end(seen, "a", 2);
  CHECK(plan(pod, seen) == "end");
  CHECK(pod_phase(pod, seen) == "Failed");
}

TEST_CASE("a sidecar starts before the containers, restarts alone and stops last") {
  const auto pod = make_pod(R"({"restartPolicy": "Never",
      "initContainers": [{"name": "side", "restartPolicy": "Always"}],
      "containers": [{"name": "app"}]})");
  auto seen = set_up();
  seen.initialized = false;
  CHECK(plan(pod, seen) == "start side");
  run(seen, "side");
  seen.containers["side"].started = false;
  CHECK(plan(pod, seen) == "");
  seen.containers["side"].started = true;
  CHECK(plan(pod, seen) == "initialized");
  seen.initialized = true;
  run(seen, "app");
  end(seen, "side", 1);
  CHECK(plan(pod, seen) == "start side");
  run(seen, "side", 1);
  end(seen, "app", 0);
  CHECK(plan(pod, seen) == "end");
  seen.end_began = start.mono;
  CHECK(plan(pod, seen) == "stop side");
}

TEST_CASE("a deleted pod gets its grace period, then the kill") {
  const auto pod = make_pod(
      R"({"containers": [{"name": "app"}]})",
      R"({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30})");
  auto seen = set_up();
  run(seen, "app");
  CHECK(plan(pod, seen) == "end");
  seen.end_began = start.mono;
  CHECK(plan(pod, seen) == "stop app");
  seen.containers["app"].stopping = Stopping{start.mono + 30s, 30s, true, false, false};
  CHECK(plan(pod, seen) == "");
  seen.containers["app"].stopping->hook_running = false;
  CHECK(plan(pod, seen) == "term app");
  seen.containers["app"].stopping->term_sent = true;
  CHECK(plan(pod, seen, 29s) == "");
  CHECK(plan(pod, seen, 30s) == "kill app");
  end(seen, "app", 137);
  seen.containers["app"].stopping.reset();
  CHECK(plan(pod, seen) == "");
  seen.final_status_saved = true;
  CHECK(plan(pod, seen) == "teardown");
  seen.torn_down = true;
  CHECK(plan(pod, seen) == "");
}

TEST_CASE("a second deletion shortens the grace period") {
  const auto pod =
      make_pod(R"({"containers": [{"name": "app"}]})",
               R"({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1})");
  auto seen = set_up();
  run(seen, "app");
  seen.end_began = start.mono;
  seen.containers["app"].stopping = Stopping{start.mono + 30s, 30s, false, true, false};
  CHECK(plan(pod, seen) == "");
  CHECK(plan(pod, seen, 1s) == "kill app");
}

TEST_CASE("a pod that the API no longer has is torn down at once") {
  const auto pod = one_container("Always");
  auto seen = set_up();
  run(seen, "app");
  seen.removed = true;
  CHECK(plan(pod, seen) == "teardown");
}

TEST_CASE("a pod past its deadline fails") {
  const auto pod = make_pod(R"({"activeDeadlineSeconds": 60, "containers": [{"name": "app"}]})");
  auto seen = set_up();
  seen.start_time = start.wall;
  run(seen, "app");
  CHECK(plan(pod, seen, 59s) == "");
  CHECK(plan_sync(pod, seen, start).wake_at == start.mono + 60s);
  CHECK(plan(pod, seen, 60s) == "fail");
  seen.ending = Ending{"DeadlineExceeded", ""};
  CHECK(plan(pod, seen, 60s) == "end");
}

TEST_CASE("a probe's verdict stops the container with the probe's patience") {
  const auto pod = one_container("Always");
  auto seen = set_up();
  run(seen, "app");
  seen.containers["app"].stop_wanted = "Container app failed liveness probe, will be restarted";
  seen.containers["app"].stop_grace_seconds = 7;
  const auto next = plan_sync(pod, seen, start);
  REQUIRE(words(next) == "stop app");
  CHECK(std::get<action::BeginStop>(next.actions.front()).grace == 7s);
}

TEST_CASE("containers behind a postStart hook wait for it") {
  const auto pod = make_pod(R"({"containers": [{"name": "a"}, {"name": "b"}]})");
  auto seen = set_up();
  run(seen, "a");
  seen.containers["a"].post_start_running = true;
  CHECK(plan(pod, seen) == "");
  seen.containers["a"].post_start_running = false;
  CHECK(plan(pod, seen) == "start b");
}

}  // namespace koi::agent
