#include "linux/cgroup.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "linux/device_filter.h"
#include "linux/process.h"

namespace koi::linux {

namespace {

constexpr const char* hybrid_mounts =
    "25 24 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "27 25 0:24 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "28 25 0:25 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "29 25 0:26 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
    "30 25 0:27 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
    "31 25 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

constexpr const char* v2_mounts =
    "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "32 1 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec - cgroup2 cgroup2 rw,nsdelegate\n";

}  // namespace

TEST_CASE("a hybrid machine's controllers are found where they are") {
  const CgroupTree tree = parse_cgroups(hybrid_mounts, "hugetlb\n");
  CHECK(tree.hierarchies.size() == 4);
  REQUIRE(tree.with("memory") != nullptr);
  CHECK(tree.with("memory")->mount == "/sys/fs/cgroup/memory");
  CHECK_FALSE(tree.with("memory")->v2);
  CHECK(tree.with("cpu") == tree.with("cpuacct"));
  CHECK(tree.with("blkio") == nullptr);
  REQUIRE(tree.unified() != nullptr);
  CHECK(tree.unified()->mount == "/sys/fs/cgroup/unified");
}

TEST_CASE("a v2 machine has one hierarchy") {
  const CgroupTree tree = parse_cgroups(v2_mounts, "cpuset cpu io memory pids\n");
  REQUIRE(tree.hierarchies.size() == 1);
  CHECK(tree.with("memory") == tree.unified());
  CHECK(tree.with("cpuacct") == nullptr);
}

TEST_CASE("shares become weights") {
  CHECK(weight_from_shares(2) == 1);
  CHECK(weight_from_shares(1024) == 100);
  CHECK(weight_from_shares(262'144) == 10'000);
  CHECK(weight_from_shares(0) == 1);
  CHECK(weight_from_shares(1 << 30) == 10'000);
}

TEST_CASE("flat keyed files") {
  const char* text = "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n";
  CHECK(parse_flat_keyed(text, "oom_kill") == 1);
  CHECK(parse_flat_keyed(text, "oom") == 2);
  CHECK(parse_flat_keyed(text, "kill") == 0);
  CHECK(parse_flat_keyed("", "oom") == 0);
  CHECK(parse_flat_keyed("oom_kill", "oom_kill") == 0);
}

TEST_CASE("the device filter looks at later rules first and stops at one for all") {
  const auto rules = default_device_rules();
  const auto program = compile_device_filter(rules);
  CHECK(program.size() > rules.size() * 2);
  CHECK(compile_device_filter({}).size() == 8);
}

TEST_CASE("a group limits, counts, kills and goes away [root]") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  auto tree = detect_cgroups();
  if (!tree) {
    MESSAGE("skipped: " << tree.error().message);
    return;
  }
  const std::string parent = "koi-test-linux-" + std::to_string(::getpid());
  const std::string group = parent + "/pod/one";
  REQUIRE(create_cgroup(*tree, group));
  REQUIRE(create_cgroup(*tree, group));
  CgroupLimits limits;
  limits.memory_bytes_max = 64 * 1024 * 1024;
  limits.cpu_shares = 512;
  limits.cpu_quota_micros = 50'000;
  limits.pids_max = 32;
  limits.devices = default_device_rules();
  const auto limited = set_limits(*tree, group, limits);
  CHECK_MESSAGE(limited, (limited ? "" : limited.error().message));

  auto unified = open_unified(*tree, group);
  REQUIRE(unified);
  auto pipe = make_pipe();
  REQUIRE(pipe);
  auto child = clone_process({.namespaces = 0, .cgroup = unified->get()});
  REQUIRE(child);
  if (child->pid == 0) {
    const auto joined = join_cgroup(*tree, group, static_cast<bool>(*unified));
    (void)write_all(pipe->write_end.get(), joined ? "ok" : joined.error().message);
    ::close(pipe->write_end.release());
    for (;;) ::pause();
  }
  pipe->write_end.reset();
  char answer[64] = {};
  CHECK(::read(pipe->read_end.get(), answer, sizeof answer - 1) == 2);
  CHECK(std::string(answer) == "ok");
  CHECK(cgroup_processes(*tree, parent) == std::vector<std::int64_t>{child->pid});
  const auto stats = read_cgroup_stats(*tree, group);
  REQUIRE(stats);
  CHECK(stats->pids == 1);
  CHECK(stats->oom_kills == 0);
  CHECK(kill_cgroup(*tree, parent));
  const auto status = wait_for(child->pid);
  REQUIRE(status);
  CHECK(status->signal == 9);
  const auto removed = remove_cgroup(*tree, parent);
  CHECK_MESSAGE(removed, (removed ? "" : removed.error().message));
  CHECK(kill_cgroup(*tree, parent));
  CHECK_FALSE(read_cgroup_stats(*tree, group));
}

}  // namespace koi::linux
