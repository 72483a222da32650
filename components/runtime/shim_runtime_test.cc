#include "runtime/shim_runtime.h"

#include <doctest/doctest.h>
#include <signal.h>

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

}  // namespace koi::runtime
