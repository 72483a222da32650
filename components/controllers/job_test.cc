#include <doctest/doctest.h>

#include "controllers/controllers_world.h"
#include "controllers/job_controller.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;

struct JobWorld : ControllersWorld {
  JobWorld() {
    add<JobController>();
    start();
  }

  void job(std::string_view spec) {
    json::Value value = *json::parse(R"({"apiVersion":"batch/v1","kind":"Job","metadata":
        {"name":"work","namespace":"d"}})");
    json::set(value, {"spec"}, *json::parse(spec));
    json::set(value, {"spec", "template"},
              *json::parse(
                  R"({"metadata":{"labels":{"job-name":"work"}},"spec":{"containers":[{"name":"c"}],
        "restartPolicy":"Never"}})"));
    create(kinds::jobs, json::serialize(value));
    settle();
  }
  // Ends that many running pods.
  void end(std::string_view phase, int count) {
    for (const auto& pod : api.peek_all(kinds::pods)) {
      if (count == 0 || !is_pod_active(*pod)) continue;
      --count;
      api.edit(kinds::pods, client::key_of(*pod), [&](json::Value& value) {
        json::set(value, {"status", "phase"}, client::text(phase));
        const auto now = client::text(base::format_time(clock.wall_now()));
        json::Value status = json::Object();
        json::set(status, {"state", "terminated", "finishedAt"}, now);
        json::set(value, {"status", "containerStatuses"}, json::Array{status});
      });
    }
    settle();
  }
  std::size_t running() {
    std::size_t count = 0;
    for (const auto& pod : api.peek_all(kinds::pods)) count += is_pod_active(*pod) ? 1 : 0;
    return count;
  }
  std::int64_t count(std::string_view field) {
    return json::int_at(read(kinds::jobs, "d/work"), {"status", field}, 0);
  }
  bool holds(std::string_view type) { return is_condition_true(read(kinds::jobs, "d/work"), type); }
};

}  // namespace

TEST_CASE("a Job runs its pods to completion, so many at a time") {
  JobWorld world;
  world.job(R"({"completions":5,"parallelism":2,"backoffLimit":6})");
  CHECK(world.running() == 2);
  CHECK(world.count("active") == 2);
  world.end("Succeeded", 2);
  CHECK(world.running() == 2);
  CHECK(world.count("succeeded") == 2);
  world.end("Succeeded", 2);
  CHECK(world.running() == 1);
  world.end("Succeeded", 1);
  CHECK(world.running() == 0);
  CHECK(world.count("succeeded") == 5);
  CHECK(world.count("active") == 0);
  CHECK(world.holds("Complete"));
  CHECK(world.api.peek_all(kinds::pods).size() == 5);
  for (const auto& pod : world.api.peek_all(kinds::pods)) {
    CHECK(json::array_at(pod->value(), {"metadata", "finalizers"}).empty());
  }
  const auto before = world.api.requests();
  world.advance(24h);
  CHECK(world.api.requests() == before);
}

TEST_CASE("failed pods are replaced later and later, up to the limit") {
  JobWorld world;
  world.job(R"({"completions":1,"parallelism":1,"backoffLimit":2})");
  world.end("Failed", 1);
  CHECK(world.count("failed") == 1);
  CHECK(world.running() == 0);
  world.advance(9s);
  CHECK(world.running() == 0);
  world.advance(1s);
  CHECK(world.running() == 1);
  world.end("Failed", 1);
  world.advance(19s);
  CHECK(world.running() == 0);
  world.advance(1s);
  CHECK(world.running() == 1);
  world.end("Failed", 1);
  CHECK(world.holds("Failed"));
  CHECK(world.count("failed") == 3);
  world.advance(1h);
  CHECK(world.running() == 0);
}

TEST_CASE("pods that are deleted once finished still count") {
  JobWorld world;
  world.job(R"({"completions":3,"parallelism":1,"backoffLimit":6})");
  for (int i = 0; i < 3; ++i) {
    world.end("Succeeded", 1);
    for (const auto& pod : world.api.peek_all(kinds::pods)) {
      if (is_pod_finished(*pod)) world.remove(kinds::pods, client::key_of(*pod));
    }
  }
  CHECK(world.count("succeeded") == 3);
  CHECK(world.holds("Complete"));
}

TEST_CASE("deadline, suspension and time to live") {
  JobWorld world;
  SUBCASE("a deadline ends the Job") {
    world.job(R"({"completions":1,"activeDeadlineSeconds":60})");
    world.advance(61s);
    CHECK(world.holds("FailureTarget"));
    CHECK(world.running() == 0);
    CHECK(world.holds("Failed"));
  }
  SUBCASE("a suspended Job runs nothing") {
    world.job(R"({"completions":1,"suspend":true})");
    CHECK(world.running() == 0);
    CHECK(world.holds("Suspended"));
    world.api.edit(kinds::jobs, "d/work",
                   [](json::Value& value) { json::set(value, {"spec", "suspend"}, false); });
    world.settle();
    CHECK(world.running() == 1);
    CHECK_FALSE(world.holds("Suspended"));
  }
  SUBCASE("a finished Job goes after its time to live") {
    world.job(R"({"completions":1,"ttlSecondsAfterFinished":30})");
    world.end("Succeeded", 1);
    world.advance(29s);
    CHECK_FALSE(world.api.peek(kinds::jobs, "d/work")->is_terminating());
    world.advance(1s);
    const auto job = world.api.peek(kinds::jobs, "d/work");
    CHECK((job == nullptr || job->is_terminating()));
  }
}

TEST_CASE("what koi does not do yet is refused by name") {
  JobWorld world;
  world.job(R"({"completions":2,"completionMode":"Indexed"})");
  CHECK(world.running() == 0);
  CHECK(world.event_texts() ==
        std::vector<std::string>{
            "Unsupported: koi does not support spec.completionMode 'Indexed' yet"});
}

}  // namespace koi::controllers
