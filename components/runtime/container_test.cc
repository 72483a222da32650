#include <doctest/doctest.h>
#include <sys/mount.h>

#include "runtime/runtime_fixture.h"

// What a container sees of its machine, asked from the inside.
namespace koi::runtime {

namespace {

struct PodFixture : RuntimeFixture {
  PodFixture() { REQUIRE(wait(runtime->start_pod(pod()))); }

  // What a shell script in a fresh container prints.
  std::string output(const std::string& name, const std::string& script,
                     void (*change)(ContainerSpec&) = nullptr) {
    ContainerSpec spec = shell(name, script);
    if (change != nullptr) change(spec);
    const ContainerExit exit = run("pod-1", spec);
    CHECK(exit.start_error == "");
    return log_text(name);
  }

  std::string start_error(const std::string& name, void (*change)(ContainerSpec&)) {
    ContainerSpec spec = shell(name, "true");
    change(spec);
    const auto started = wait(runtime->start_container("pod-1", spec));
    REQUIRE(started);
    REQUIRE(started->exit);
    CHECK(started->exit->code == 128);
    CHECK(wait_exit(name).start_error == started->exit->start_error);
    return started->exit->start_error;
  }
};

}  // namespace

#define NEEDS_PODS()                                                     \
  if (const std::string why = RuntimeFixture::missing(); !why.empty()) { \
    MESSAGE("skipped: " << why);                                         \
    return;                                                              \
  }

TEST_CASE("a container has its own processes, devices and kernel files [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  CHECK(fixture.output("pid", "echo $$ /proc/[0-9]*") == "1 /proc/1\n");
  CHECK(fixture.output("dev", "ls /dev") ==
        "core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\n"
        "termination-log\ntty\nurandom\nzero\n");
  CHECK(fixture.output("nulls", "echo x > /dev/null; echo y > /dev/stderr; cat /dev/null") ==
        "y\n");
  CHECK(fixture.output("masked", "cat /proc/interrupts | wc -c; ls /sys/firmware | wc -l") ==
        "0\n0\n");
  CHECK(fixture.output("sys", "echo 1 > /proc/sys/kernel/panic") ==
        "sh: can't create /proc/sys/kernel/panic: Read-only file system\n");
  CHECK(fixture.output("cgroup",
                       "cat /proc/self/cgroup | grep -v ':/$' | grep memory; "
                       "grep -c . /sys/fs/cgroup/*/cgroup.procs | grep -c memory") != "0\n");
  CHECK(fixture
            .output("limit",
                    "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; "
                    "umask; grep -c / /proc/self/cgroup",
                    [](ContainerSpec& spec) { spec.resources.memory_bytes_max = 67108864; })
            .starts_with("67108864\n0022\n"));
  CHECK(fixture.output("old", "ls / ; mount | grep -c koi-runtime").find("tmp") !=
        std::string::npos);
}

TEST_CASE("users come from the image, the pod and the group file [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  const char* script = "id -u; id -g; id -G; echo $HOME";
  CHECK(fixture.output("root", script) == "0\n0\n0\n/root\n");
  CHECK(fixture.output("name", script, [](ContainerSpec& spec) { spec.user.image_user = "web"; }) ==
        "33\n44\n44 55\n/srv\n");
  CHECK(fixture.output("both", script, [](ContainerSpec& spec) {
    spec.user.image_user = "web:55";
    spec.user.supplementary_gids = {2000};
  }) == "33\n55\n55 2000\n/srv\n");
  CHECK(fixture.output("number", script, [](ContainerSpec& spec) {
    spec.user.image_user = "web";
    spec.user.uid = 1234;
    spec.user.gid = 99;
  }) == "1234\n99\n99\n/\n");
  CHECK(fixture.start_error("nobody", [](ContainerSpec& spec) {
    spec.user.image_user = "nobody";
  }) == "unable to find user nobody: no matching entries in passwd file");
  CHECK(fixture.start_error("noroot", [](ContainerSpec& spec) {
    spec.security.run_as_non_root = true;
  }) == "container has runAsNonRoot and image will run as root");
}

TEST_CASE("programs that cannot run say why [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  CHECK(fixture.start_error("missing", [](ContainerSpec& spec) { spec.args = {"foo"}; }) ==
        "exec: \"foo\": executable file not found in $PATH");
  CHECK(fixture.start_error("path", [](ContainerSpec& spec) { spec.args = {"/bin/foo"}; }) ==
        "exec: \"/bin/foo\": stat /bin/foo: no such file or directory");
  CHECK(fixture.start_error("denied", [](ContainerSpec& spec) { spec.args = {"/etc/passwd"}; }) ==
        "exec: \"/etc/passwd\": permission denied");
  RuntimeFixture::write(fixture.root() / "bin/garbage", "\x01\x02");
  std::filesystem::permissions(fixture.root() / "bin/garbage", std::filesystem::perms(0755));
  CHECK(fixture.start_error("garbage", [](ContainerSpec& spec) { spec.args = {"garbage"}; }) ==
        "exec: \"garbage\": exec format error");
  CHECK(fixture.start_error("empty", [](ContainerSpec& spec) { spec.args = {}; }) ==
        "no command specified");
  const std::string error = fixture.start_error("source", [](ContainerSpec& spec) {
    spec.mounts.push_back({"/no/such/dir", "/data", "", false, {}});
  });
  CHECK(error.find("/no/such/dir") != std::string::npos);
}

TEST_CASE("privileges are what was asked for [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  const char* script = "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status";
  CHECK(fixture.output("default", script) ==
        "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n");
  CHECK(fixture.output("dropped", script, [](ContainerSpec& spec) {
    spec.security.capabilities_drop = {"ALL"};
    spec.security.capabilities_add = {"NET_BIND_SERVICE"};
    spec.security.allow_privilege_escalation = false;
  }) == "CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  CHECK(fixture.output("user", script, [](ContainerSpec& spec) {
    spec.user.uid = 1000;
    spec.security.seccomp_unconfined = true;
  }) == "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t0\n");
  CHECK(fixture.output("mount", "exec 2>&1; mount -t tmpfs x /tmp; echo $?") ==
        "mount: permission denied (are you root?)\n1\n");
  CHECK(fixture
            .output("privileged", "mount -t tmpfs x /tmp && echo yes; ls /dev | grep -c loop",
                    [](ContainerSpec& spec) { spec.security.privileged = true; })
            .starts_with("yes\n"));
  // mknod is allowed as elsewhere; opening what it made is not.
  CHECK(fixture.output("device", "mknod /tmp/vda b 254 0; cat /tmp/vda") ==
        "cat: can't open '/tmp/vda': Operation not permitted\n");
  CHECK(fixture.start_error("unknown", [](ContainerSpec& spec) {
    spec.security.capabilities_add = {"FLY"};
  }) == "'FLY' is no capability");
}

TEST_CASE("volumes are bound, also below each other and read-only [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  const base::Path volume = fixture.directory / "volume";
  std::filesystem::create_directories(volume / "inner");
  RuntimeFixture::write(volume / "file", "content\n");
  std::filesystem::create_symlink("/etc/passwd", volume / "escape");
  std::filesystem::create_symlink("inner", volume / "stays");

  ContainerSpec spec =
      fixture.shell("volumes",
                    "exec 2>&1; cat /data/file; echo x > /data/nested/made; touch /ro/x; cat "
                    "/etc/one; echo gone > /data/file");
  spec.mounts = {{volume / "inner", "/data/nested", "", false, {}},
                 {volume, "/data", "", false, {}},
                 {volume, "/ro", "", true, {}},
                 {volume, "/etc/one", "file", true, {}},
                 {volume, "/sub", "stays", false, {}},
                 {volume, "/made", "new/dir", false, {}}};
  CHECK(fixture.run("pod-1", spec).code == 0);
  CHECK(fixture.log_text("volumes") == "content\ntouch: /ro/x: Read-only file system\ncontent\n");
  CHECK(std::filesystem::exists(volume / "inner/made"));
  CHECK(std::filesystem::is_directory(volume / "new/dir"));

  for (const char* sub_path : {"escape", "../state", "/etc"}) {
    ContainerSpec bad = fixture.shell(std::string("bad") + sub_path[1], "true");
    bad.mounts = {{volume, "/data", sub_path, false, {}}};
    const auto started = fixture.wait(fixture.runtime->start_container("pod-1", bad));
    REQUIRE(started);
    REQUIRE_MESSAGE(started->exit, sub_path);
    CHECK(started->exit->start_error != "");
  }
  ContainerSpec proc = fixture.shell("proc", "true");
  proc.mounts = {{volume, "/proc/sys", "", false, {}}};
  const auto refused = fixture.wait(fixture.runtime->start_container("pod-1", proc));
  REQUIRE(refused);
  REQUIRE(refused->exit);
  CHECK(refused->exit->start_error.find("inside /proc") != std::string::npos);
}

TEST_CASE("the root may be read-only, and its changes stay the container's own [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  CHECK(fixture.output("ro", "exec 2>&1; touch /x; touch /dev/shm/y && echo shm",
                       [](ContainerSpec& spec) { spec.security.read_only_root = true; }) ==
        "touch: /x: Read-only file system\nshm\n");
  CHECK(fixture.output("rw", "touch /x; ls /x /dev/shm") == "/x\n\n/dev/shm:\ny\n");
  CHECK_FALSE(std::filesystem::exists(fixture.root() / "x"));
}

TEST_CASE("containers leave a message about their end [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  const ContainerExit exit = fixture.run(
      "pod-1", fixture.shell("last", "echo -n famous last words > /dev/termination-log"));
  CHECK(exit.message == "famous last words");
  ContainerSpec spec = fixture.shell("long",
                                     "for i in 1 2 3 4 5 6 7 8 9; do env; done > /tmp/t; "
                                     "cat /tmp/t /tmp/t /tmp/t /tmp/t /tmp/t > /end/msg");
  spec.termination_message_path = "/end/msg";
  CHECK(fixture.run("pod-1", spec).message.size() == 4096);
}

TEST_CASE("a terminal is one [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  CHECK(fixture.output("tty", "test -t 1 && echo tty; echo $TERM; echo x > /dev/console",
                       [](ContainerSpec& spec) { spec.tty = true; }) == "tty\r\nxterm\r\nx\r\n");
}

TEST_CASE("long and unfinished lines come through in parts [root]") {
  NEEDS_PODS();
  PodFixture fixture;
  CHECK(fixture
            .run("pod-1", fixture.shell("lines",
                                        "dd if=/dev/zero bs=20000 count=1 2>/dev/null; "
                                        "echo; echo -n end"))
            .code == 0);
  const auto text = linux::read_file(fixture.directory / "logs/lines/0.log");
  REQUIRE(text);
  CHECK(text->find(" stdout P ") == 30);
  CHECK(text->ends_with(" stdout P end\n"));
  CHECK(text->size() == 3 * (30 + 10) + 20000 + 3 + 3);
}

TEST_CASE("containers of a pod share what the pod says [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  PodSandboxSpec pod = fixture.pod();
  pod.share_process_namespace = true;
  pod.sysctls = {{"net.core.somaxconn", "333"}, {"kernel.shm_rmid_forced", "1"}};
  REQUIRE(fixture.wait(fixture.runtime->start_pod(pod)));
  const auto first = fixture.wait(fixture.runtime->start_container(
      "pod-1", fixture.shell("first", "sleep 1000 & exec sleep 1001")));
  REQUIRE(first);
  CHECK(fixture
            .run("pod-1", fixture.shell("second",
                                        "echo $$ | grep -c '^1$'; ps | grep -c '[s]leep 100'; "
                                        "cat /proc/sys/net/core/somaxconn; "
                                        "cat /proc/sys/kernel/shm_rmid_forced"))
            .code == 0);
  CHECK(fixture.log_text("second") == "0\n2\n333\n1\n");
  REQUIRE(fixture.wait(fixture.runtime->signal_container("pod-1", first->id, 9)));
  CHECK(fixture.wait_exit("first").signal == 9);
  // The child that outlived its parent in the shared namespace is gone too.
  CHECK(fixture.run("pod-1", fixture.shell("third", "ps | grep -c '[s]leep 100'")).code == 1);

  PodSandboxSpec bad = fixture.pod("pod-2");
  bad.sysctls = {{"kernel.panic", "1"}};
  const auto refused = fixture.wait(fixture.runtime->start_pod(bad));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("kernel.panic") != std::string::npos);
}

TEST_CASE("host namespaces are the host's [root]") {
  NEEDS_PODS();
  RuntimeFixture fixture;
  PodSandboxSpec pod = fixture.pod();
  pod.host_network = true;
  pod.host_pid = true;
  pod.host_ipc = true;
  REQUIRE(fixture.wait(fixture.runtime->start_pod(pod)));
  const std::string script =
      "for n in net pid ipc uts; do ls -l /proc/self/ns/$n | "
      "grep -o '[a-z]*:.[0-9]*]$'; done; sleep 1000 & exit 4";
  CHECK(fixture.run("pod-1", fixture.shell("main", script)).code == 4);
  std::string expected;
  for (const char* name : {"net", "pid", "ipc", "uts"}) {
    expected += std::filesystem::read_symlink(base::Path("/proc/self/ns") / name).native() + "\n";
  }
  CHECK(fixture.log_text("main") == expected);
  const auto tree = linux::detect_cgroups();
  CHECK(linux::cgroup_processes(*tree, fixture.cgroup_parent + "/burstable").empty());
}

}  // namespace koi::runtime
