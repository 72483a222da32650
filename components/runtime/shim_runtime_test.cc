#include "runtime/shim_runtime.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "linux/process.h"
#include "runtime/paths.h"
#include "runtime/runtime_fixture.h"

namespace koi::runtime {

#define NEEDS_PODS()                                                     \
  if (const std::string why = RuntimeFixture::missing(); !why.empty()) { \
    MESSAGE("skipped: " << why);                                         \
    return;                                                              \
  }

TEST_CASE("a container says hello, exits 3 and leaves nothing [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  REQUIRE_MESSAGE(pod, (pod ? "" : pod.error().message));
  CHECK(pod->shim_pid > 1);
  CHECK(std::filesystem::exists(pod->network_namespace));

  const ContainerExit exit =
      fixture.run("pod-1", fixture.shell("main", "echo hello; hostname; exit 3"));
  CHECK(exit.start_error == "");
  CHECK(exit.code == 3);
  CHECK(exit.signal == 0);
  CHECK_FALSE(exit.out_of_memory);
  CHECK(exit.finished >= exit.started);
  CHECK(fixture.log_text("main") == "hello\nthe-host\n");

  const auto stopped = fixture.wait(fixture.runtime->stop_pod("pod-1"));
  CHECK_MESSAGE(stopped, (stopped ? "" : stopped.error().message));
  CHECK_FALSE(std::filesystem::exists(paths::pod(fixture.directory / "state", "pod-1")));
  CHECK_FALSE(std::filesystem::exists(pod->network_namespace));
  const auto tree = linux::detect_cgroups();
  for (const auto& hierarchy : tree->hierarchies) {
    CHECK_FALSE(
        std::filesystem::exists(hierarchy.mount / fixture.cgroup_parent / "burstable/podpod-1"));
  }
}

TEST_CASE("a container over its memory limit is OOM killed [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  REQUIRE(fixture.wait(fixture.runtime->start_pod(fixture.pod())));
  ContainerSpec spec = fixture.shell("hungry", "exec dd if=/dev/zero of=/dev/null bs=200M count=1");
  spec.resources.memory_bytes_max = 16 * 1024 * 1024;
  const ContainerExit exit = fixture.run("pod-1", spec);
  CHECK(exit.out_of_memory);
  CHECK(exit.code == 137);
  CHECK(exit.signal == SIGKILL);
}

TEST_CASE("starting twice is starting once [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  const auto again = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  REQUIRE(pod);
  REQUIRE(again);
  CHECK(pod->shim_pid == again->shim_pid);
  const ContainerSpec spec = fixture.shell("main", "exec sleep 1000");
  const auto first = fixture.wait(fixture.runtime->start_container("pod-1", spec));
  const auto second = fixture.wait(fixture.runtime->start_container("pod-1", spec));
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->id == second->id);
  CHECK(first->id.size() == 64);
  CHECK_FALSE(fixture.wait(fixture.runtime->remove_container("pod-1", first->id)));
  const auto stats = fixture.wait(fixture.runtime->stats("pod-1", first->id));
  REQUIRE(stats);
  CHECK(stats->cpu_nanos > 0);
  REQUIRE(fixture.wait(fixture.runtime->signal_container("pod-1", first->id, SIGKILL)));
  CHECK(fixture.wait_exit("main").signal == SIGKILL);
  CHECK(fixture.wait(fixture.runtime->signal_container("pod-1", first->id, SIGKILL)));
  CHECK(fixture.wait(fixture.runtime->remove_container("pod-1", first->id)));
  CHECK(fixture.wait(fixture.runtime->remove_container("pod-1", first->id)));
  const base::Path pod_directory = paths::pod(fixture.directory / "state", "pod-1");
  CHECK(std::filesystem::is_empty(paths::containers(pod_directory)));
  CHECK(fixture.wait(fixture.runtime->stop_pod("pod-1")));
  CHECK(fixture.wait(fixture.runtime->stop_pod("pod-1")));
  CHECK_FALSE(fixture.wait(fixture.runtime->start_container("pod-1", spec)));
  CHECK_FALSE(fixture.wait(fixture.runtime->start_pod(fixture.pod("../evil"))));
}

TEST_CASE("a new agent adopts what runs and learns what ended meanwhile [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  REQUIRE(pod);
  const auto lives = fixture.wait(fixture.runtime->start_container(
      "pod-1",
      fixture.shell("lives", "trap 'exit 5' TERM; echo up; while true; do sleep 0.05; done")));
  // Ends when its input pipe does, which the test holds.
  const base::Path fifo = fixture.directory / "gate";
  REQUIRE(::mkfifo(fifo.c_str(), 0666) == 0);
  ContainerSpec spec = fixture.shell("ends", "cat /gate; exit 7");
  spec.mounts = {{fifo, "/gate", "", false, {}}};
  const auto ends = fixture.wait(fixture.runtime->start_container("pod-1", spec));
  REQUIRE(lives);
  REQUIRE(ends);
  fixture.stop();
  const auto exit_file = paths::container_exit(
      paths::container(paths::pod(fixture.directory / "state", "pod-1"), ends->id));
  CHECK_FALSE(std::filesystem::exists(exit_file));
  {
    auto writer = linux::open_file(fifo, O_WRONLY);
  }
  const auto pidfd = linux::open_pidfd(static_cast<pid_t>(ends->pid));
  if (pidfd) {
    pollfd entry{pidfd->get(), POLLIN, 0};
    REQUIRE(::poll(&entry, 1, 10'000) == 1);
  }

  fixture.start();
  const auto states = fixture.wait(fixture.runtime->list());
  REQUIRE(states);
  REQUIRE(states->size() == 1);
  const PodState& found = states->front();
  CHECK(found.shim_alive);
  CHECK(found.shim_pid == pod->shim_pid);
  CHECK(found.spec.hostname == "the-host");
  REQUIRE(found.containers.size() == 2);
  CHECK(found.containers[0].pid == lives->pid);
  CHECK_FALSE(found.containers[0].exit);
  if (!found.containers[1].exit) {
    CHECK(fixture.wait_exit("ends").code == 7);
  } else {
    CHECK(found.containers[1].exit->code == 7);
  }
  REQUIRE(fixture.wait(fixture.runtime->signal_container("pod-1", lives->id, SIGTERM)));
  CHECK(fixture.wait_exit("lives").code == 5);
}

TEST_CASE("a killed shim takes its containers along, and that is told [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto tree = linux::detect_cgroups();
  for (const bool connected : {true, false}) {
    const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
    REQUIRE(pod);
    ContainerSpec spec = fixture.shell("main", "exec sleep 1000");
    spec.attempt = connected ? 0 : 1;
    const auto container = fixture.wait(fixture.runtime->start_container("pod-1", spec));
    REQUIRE(container);
    if (!connected) fixture.stop();
    REQUIRE(::kill(static_cast<pid_t>(pod->shim_pid), SIGKILL) == 0);
    if (connected) {
      const auto exit = fixture.wait_exit("main");
      CHECK(exit.code == 137);
      const RuntimeEvent event = fixture.wait(fixture.runtime->next_event());
      CHECK(std::get_if<PodLost>(&event) != nullptr);
    } else {
      fixture.start();
      const auto states = fixture.wait(fixture.runtime->list());
      REQUIRE_MESSAGE(states, (states ? "" : states.error().message));
      REQUIRE(states->size() == 1);
      CHECK_FALSE(states->front().shim_alive);
      REQUIRE(states->front().containers.size() == 1);
      REQUIRE(states->front().containers.front().exit);
      CHECK(states->front().containers.front().exit->code == 137);
    }
    CHECK(linux::cgroup_processes(*tree, fixture.cgroup_parent + "/burstable").empty());
    CHECK(fixture.wait(fixture.runtime->stop_pod("pod-1")));
  }
}

TEST_CASE("a pod whose shim died is started again with its past [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  REQUIRE(pod);
  CHECK(fixture.run("pod-1", fixture.shell("done", "exit 9")).code == 9);
  fixture.stop();
  REQUIRE(::kill(static_cast<pid_t>(pod->shim_pid), SIGKILL) == 0);
  fixture.start();
  const auto again = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  REQUIRE(again);
  CHECK(again->shim_pid != pod->shim_pid);
  REQUIRE(again->containers.size() == 1);
  REQUIRE(again->containers.front().exit);
  CHECK(again->containers.front().exit->code == 9);
}

TEST_CASE("commands run inside a container [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  REQUIRE(fixture.wait(fixture.runtime->start_pod(fixture.pod())));
  ContainerSpec spec = fixture.shell("main", "echo secret > /tmp/f; exec sleep 1000");
  spec.user.image_user = "web";
  spec.env = {"COLOR=blue"};
  std::filesystem::permissions(fixture.root() / "tmp", std::filesystem::perms(01777));
  const auto container = fixture.wait(fixture.runtime->start_container("pod-1", spec));
  REQUIRE(container);
  const auto exec = [&](std::vector<std::string> args, base::Duration deadline) {
    return fixture.wait(fixture.runtime->exec("pod-1", container->id, args, deadline));
  };
  using namespace std::chrono_literals;
  const auto result = exec({"sh", "-c",
                            "id -u; echo $COLOR; ps | grep -c '[s]leep'; "
                            "grep CapEff /proc/self/status; echo err >&2; exit 6"},
                           10s);
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  CHECK(result->exit_code == 6);
  CHECK(result->output == "33\nblue\n1\nCapEff:\t0000000000000000\nerr\n");
  const auto missing = exec({"nope"}, 10s);
  REQUIRE(missing);
  CHECK(missing->exit_code == 127);
  CHECK(missing->output == "exec: \"nope\": executable file not found in $PATH");
  const auto slow = exec({"sleep", "1000"}, 50ms);
  REQUIRE_FALSE(slow);
  CHECK(slow.error().code == base::Code::timeout);
  const auto much =
      exec({"sh", "-c", "dd if=/dev/zero bs=1000000 count=1 2>/dev/null; exit 1"}, 10s);
  REQUIRE(much);
  CHECK(much->exit_code == 1);
  CHECK(much->output.size() == 256 * 1024);
  CHECK_FALSE(fixture.wait(fixture.runtime->exec("pod-1", "none", {"true"}, 1s)));
}

TEST_CASE("a shim killed at any moment leaves nothing behind [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto tree = linux::detect_cgroups();
  constexpr int moments = 16;
  for (int moment = 0; moment < moments; ++moment) {
    const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
    REQUIRE_MESSAGE(pod, (pod ? "" : pod.error().message));
    ContainerSpec spec = fixture.shell("main", "exec sleep 1000");
    spec.attempt = static_cast<std::uint32_t>(moment);
    const auto killer = linux::open_pidfd(static_cast<pid_t>(pod->shim_pid));
    REQUIRE(killer);
    bool answered = false;
    fixture.group->spawn("start", RuntimeFixture::start_and_note(*fixture.runtime, spec, answered));
    // A different stretch of the start each time, in steps of some 300 us.
    for (int i = 0; i < moment; ++i) fixture.io.run_for(std::chrono::microseconds(300));
    REQUIRE(linux::send_signal(killer->get(), SIGKILL));
    for (;;) {
      const RuntimeEvent event = fixture.wait(fixture.runtime->next_event());
      if (std::holds_alternative<PodLost>(event)) break;
    }
    fixture.run_until([&] { return answered; });
    CHECK(linux::cgroup_processes(*tree, fixture.cgroup_parent + "/burstable").empty());
    // As the agent would: the same pod again, by a new shim that knows the past.
    const auto again = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
    REQUIRE_MESSAGE(again, (again ? "" : again.error().message));
    for (const ContainerState& container : again->containers) CHECK(container.exit);
    const auto stopped = fixture.wait(fixture.runtime->stop_pod("pod-1"));
    CHECK_MESSAGE(stopped, (stopped ? "" : stopped.error().message));
    CHECK(std::filesystem::is_empty(paths::pods(fixture.directory / "state")));
  }
}

TEST_CASE("many pods at once [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  constexpr int pods = 20;
  int ended = 0;
  const auto before = fixture.clock->now();
  for (int i = 0; i < pods; ++i) {
    const std::string uid = "pod-" + std::to_string(i);
    fixture.group->spawn(uid, RuntimeFixture::start_both(*fixture.runtime, fixture.pod(uid),
                                                         fixture.shell(uid, "exit 3")));
  }
  while (ended < pods) {
    const RuntimeEvent event = fixture.wait(fixture.runtime->next_event());
    const auto* exited = std::get_if<ContainerExited>(&event);
    REQUIRE(exited != nullptr);
    CHECK(exited->container.exit->code == 3);
    ++ended;
  }
  MESSAGE("20 pods ran in " << (fixture.clock->now() - before).count() / 1000 << " ms");
}

TEST_CASE("how fast and how small [root] [slow]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  const auto pod = fixture.wait(fixture.runtime->start_pod(fixture.pod()));
  REQUIRE(pod);
  std::vector<std::int64_t> pods;
  std::vector<std::int64_t> starts;
  constexpr int rounds = 100;
  for (int i = 0; i < rounds; ++i) {
    ContainerSpec spec = fixture.shell("main", "true");
    spec.args = {"true"};
    spec.attempt = static_cast<std::uint32_t>(i);
    const auto before = fixture.clock->now();
    const auto started = fixture.wait(fixture.runtime->start_container("pod-1", spec));
    starts.push_back((fixture.clock->now() - before).count());
    REQUIRE(started);
    fixture.wait_exit("main");
    REQUIRE(fixture.wait(fixture.runtime->remove_container("pod-1", started->id)));
  }
  for (int i = 0; i < 20; ++i) {
    const std::string uid = "more-" + std::to_string(i);
    const auto before = fixture.clock->now();
    REQUIRE(fixture.wait(fixture.runtime->start_pod(fixture.pod(uid))));
    pods.push_back((fixture.clock->now() - before).count());
  }
  std::sort(starts.begin(), starts.end());
  std::sort(pods.begin(), pods.end());
  const auto status =
      linux::read_file("/proc/" + std::to_string(pod->shim_pid) + "/status").value();
  const auto at = status.find("VmRSS");
  MESSAGE("container start p50 " << starts[starts.size() / 2] << " us, p99 "
                                 << starts[starts.size() * 99 / 100] << " us; pod start p50 "
                                 << pods[pods.size() / 2] << " us; shim "
                                 << status.substr(at, status.find("Threads") - at));
  CHECK(starts[starts.size() / 2] < 2'000'000);
}

}  // namespace koi::runtime
