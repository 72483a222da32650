#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "json/value.h"
#include "linux/cgroup.h"
#include "linux/fd.h"
#include "linux/process.h"
#include "linux/seccomp_filter.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec.h"

namespace koi::runtime {

namespace {

constexpr const char* config = R"({
  "ociVersion": "1.0.2",
  "process": {
    "terminal": false, "user": {"uid": 0, "gid": 0, "additionalGids": [5], "umask": 18},
    "args": ["sh", "-c", "echo up; read line; echo got $line; exit 3"],
    "env": ["PATH=/bin", "A=b"], "cwd": "/tmp",
    "capabilities": {"bounding": ["CAP_KILL", "CAP_FROM_THE_FUTURE"], "effective": ["CAP_KILL"],
                     "permitted": ["CAP_KILL"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 512}], "noNewPrivileges": true
  },
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "oci",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/bound", "type": "bind", "source": "shared", "options": ["rbind", "ro"]},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}
  ],
  "linux": {
    "resources": {"devices": [{"allow": false, "access": "rwm"}],
                  "memory": {"limit": 33554432}, "pids": {"limit": 20}, "cpu": {"shares": 512}},
    "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                   {"type": "mount"}, {"type": "cgroup"}],
    "maskedPaths": ["/proc/interrupts"], "readonlyPaths": ["/proc/sys"],
    "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": ["chroot", "no_such_call"], "action": "SCMP_ACT_ERRNO",
                              "errnoRet": 38}]},
    "cgroupsPath": "/koi-test-oci/CGROUP"
  },
  "annotations": {"who": "me"}
})";

}  // namespace

TEST_CASE("a config.json is read, written and read again") {
  const auto value = json::parse(config);
  REQUIRE(value);
  const auto spec = parse_spec(*value);
  REQUIRE_MESSAGE(spec, (spec ? "" : spec.error().message));
  CHECK(spec->process.args.size() == 3);
  CHECK(spec->process.rlimits[0].soft == 512);
  CHECK(spec->process.umask == 18U);
  CHECK(linux::capability_names(spec->process.capabilities.bounding) ==
        std::vector<std::string>{"CAP_KILL"});
  CHECK(spec->limits.memory_bytes_max == 33554432);
  CHECK(spec->limits.devices.size() > 5);
  CHECK(spec->find_namespace("network") != nullptr);
  REQUIRE(spec->seccomp);
  CHECK(linux::compile_seccomp(*spec->seccomp));
  const auto again = parse_spec(spec_to_json(*spec));
  REQUIRE(again);
  CHECK(again->mounts.size() == 4);
  CHECK(again->seccomp->rules[0].errno_value == 38);
  CHECK(again->annotations.at("who") == "me");
}

TEST_CASE("what is not supported is refused by name") {
  const auto refused = [](json::Path path, const char* text) {
    json::Value value = json::parse(config).value();
    json::set(value, path, json::parse(text).value());
    const auto spec = parse_spec(value);
    return spec ? std::string() : spec.error().message;
  };
  CHECK(refused({"linux", "uidMappings"}, "[{}]").find("linux.uidMappings") != std::string::npos);
  CHECK(refused({"hooks"}, R"({"prestart":[{"path":"/x"}]})").find("hooks.prestart") !=
        std::string::npos);
  CHECK(refused({"hooks"}, R"({"prestart":[]})") == "");
  CHECK(refused({"linux", "namespaces"}, R"([{"type":"user"}])") != "");
  CHECK(refused({"linux", "cgroupsPath"}, R"("system.slice:a:b")") != "");
  CHECK(refused({"process", "apparmorProfile"}, R"("strict")") != "");
  CHECK(refused({"process", "cwd"}, R"("relative")") != "");
  CHECK(refused({"root", "path"}, "\"\"") != "");
  CHECK(refused({"ociVersion"}, "\"2.0\"") != "");
  CHECK(refused({"linux", "seccomp"}, R"({"defaultAction":"SCMP_ACT_NOTIFY"})") != "");
  for (const char* hostile : {"null", "[]", "1", "{\"ociVersion\":1}"}) {
    CHECK_FALSE(parse_spec(json::parse(hostile).value()));
  }
}

namespace {

struct Bundle {
  linux::Path directory;
  std::string cgroup;
  mutable int runs = 0;

  Bundle() {
    char name[] = "/tmp/koi-oci-XXXXXX";
    directory = ::mkdtemp(name);
    cgroup = directory.filename().native();
    for (const char* path : {"rootfs/bin", "rootfs/tmp", "rootfs/proc", "rootfs/dev", "shared"}) {
      std::filesystem::create_directories(directory / path);
    }
    std::filesystem::copy_file("/bin/busybox", directory / "rootfs/bin/busybox");
    for (const char* program : {"sh", "cat", "ls", "id", "sleep"}) {
      std::filesystem::create_symlink("busybox", directory / "rootfs/bin" / program);
    }
    REQUIRE(linux::replace_file(directory / "rootfs/tmp/copied", "yes\n", 0644));
    REQUIRE(linux::replace_file(directory / "shared/file", "shared\n", 0644));
    std::string text = config;
    text.replace(text.find("CGROUP"), 6, cgroup);
    REQUIRE(linux::replace_file(directory / "config.json", text));
  }

  ~Bundle() {
    (void)run({"delete", "--force", "one"});
    const auto tree = linux::detect_cgroups();
    for (const auto& hierarchy : tree->hierarchies) {
      std::error_code ignored;
      std::filesystem::remove(hierarchy.mount / "koi-test-oci" / cgroup, ignored);
      std::filesystem::remove(hierarchy.mount / "koi-test-oci", ignored);
    }
    std::error_code error;
    std::filesystem::remove_all(directory, error);
    CHECK_MESSAGE(!error, error.message());
  }

  struct Outcome {
    int code = 0;
    std::string output;
  };

  // Runs `koi runtime`; its output goes to a file, since what it starts keeps it open.
  Outcome run(std::vector<std::string> words, int input = -1) const {
    std::vector<std::string> args = {KOI_RUNTIME_TOOL, "runtime", "--root",
                                     (directory / "state").native()};
    args.insert(args.end(), words.begin(), words.end());
    const auto null = linux::open_file("/dev/null", O_RDWR);
    const auto file = directory / ("output-" + std::to_string(++runs));
    const auto output = linux::open_file(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    const int in = input < 0 ? null->get() : input;
    const auto pid = linux::spawn(KOI_RUNTIME_TOOL, args, {in, output->get(), output->get()});
    REQUIRE(pid);
    const int code = linux::wait_for(*pid)->code;
    return {code, linux::read_file(file).value_or("")};
  }

  std::string status() const {
    const auto value = json::parse(run({"state", "one"}).output);
    return value ? std::string(json::string_at(*value, {"status"})) : "none";
  }
};

}  // namespace

TEST_CASE("other tools create, start, look at, kill and delete containers [root]") {
  if (::geteuid() != 0 || !linux::detect_cgroups() || ::access("/bin/busybox", X_OK) != 0) {
    MESSAGE("skipped: needs root, cgroups and /bin/busybox");
    return;
  }
  const Bundle bundle;
  const std::string at = bundle.directory.native();
  auto input = linux::make_pipe();
  REQUIRE(input);
  const auto created = bundle.run({"create", "--bundle", at, "--pid-file", at + "/pid", "one"},
                                  input->read_end.get());
  REQUIRE_MESSAGE(created.code == 0, created.output);
  CHECK(bundle.status() == "created");
  CHECK(bundle.run({"create", "--bundle", at, "one"}).code == 1);
  const pid_t pid = std::stoi(linux::read_file(at + "/pid").value());
  CHECK(linux::read_file("/proc/" + std::to_string(pid) + "/limits")->find("512") !=
        std::string::npos);
  CHECK(bundle.run({"start", "one"}).code == 0);
  CHECK(bundle.run({"start", "one"}).code == 1);
  CHECK(bundle.status() == "running");
  CHECK(bundle.run({"delete", "one"}).code == 1);

  const auto inside = bundle.run(
      {"exec", "one", "sh", "-c", "id; cat /tmp/copied /bound/file; cat /proc/interrupts; exit 9"});
  CHECK(inside.code == 9);
  CHECK(inside.output == "uid=0 gid=0 groups=5\nyes\nshared\n");
  CHECK(bundle.run({"exec", "one", "nope"}).output ==
        "koi runtime: exec: \"nope\": executable file not found in $PATH\n");
  if (bundle.run({"pause", "one"}).code == 0) {
    CHECK(bundle.status() == "paused");
    CHECK(bundle.run({"resume", "one"}).code == 0);
  }
  REQUIRE(linux::replace_file(at + "/resources.json", R"({"pids":{"limit":33}})"));
  CHECK(bundle.run({"update", "--resources", at + "/resources.json", "one"}).code == 0);
  const auto pidfd = linux::open_pidfd(pid);
  REQUIRE(pidfd);
  CHECK(bundle.run({"kill", "one", "KILL"}).code == 0);
  pollfd ended{pidfd->get(), POLLIN, 0};
  REQUIRE(::poll(&ended, 1, 10'000) == 1);
  CHECK(bundle.status() == "stopped");
  CHECK(bundle.run({"kill", "one"}).code == 1);
  CHECK(bundle.run({"delete", "one"}).code == 0);
  CHECK(bundle.run({"delete", "one"}).code == 1);
  CHECK(bundle.run({"delete", "--force", "one"}).code == 0);
  CHECK(bundle.run({"state", "one"}).code == 1);
  CHECK(bundle.run({"state", "../x"}).code == 1);
  CHECK(bundle.run({"fly", "one"}).code == 1);
}

}  // namespace koi::runtime
