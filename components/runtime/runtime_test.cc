#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <algorithm>
#include <filesystem>

#include "runtime/container_plan.h"
#include "runtime/cri_log.h"
#include "runtime/mount_options.h"
#include "runtime/paths.h"
#include "runtime/records.h"
#include "runtime/shim_protocol.h"
#include "runtime/user_lookup.h"

namespace koi::runtime {

namespace {

using namespace std::chrono_literals;
constexpr auto some_time = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + 3h + 4min + 5s;
constexpr std::chrono::sys_time<std::chrono::nanoseconds> log_time = some_time + 6ns;

struct LogFixture {
  linux::Path directory;
  LogFixture() {
    char name[] = "/tmp/koi-log-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~LogFixture() { std::filesystem::remove_all(directory); }
  LogFixture(const LogFixture&) = delete;
  LogFixture& operator=(const LogFixture&) = delete;
  std::string text(const char* name = "0.log") const {
    return linux::read_file(directory / name).value_or("none");
  }
};

constexpr const char* passwd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken\nbad:x:zz:0::/:\n"
    "web:x:33:44:web:/srv:/bin/sh\n";
constexpr const char* group = "root:x:0:\nwww:x:44:\nextra:x:55:a,web\nmore:x:66:webby\n";

}  // namespace

TEST_CASE("log lines carry time, stream and tag") {
  const LogFixture fixture;
  auto log = CriLog::open({fixture.directory / "deep/er/0.log"});
  REQUIRE(log);
  log->write(LogStream::standard_output, "one\ntw", log_time);
  log->write(LogStream::standard_error, "err\n\n", log_time);
  log->write(LogStream::standard_output, "o\nend", log_time);
  log->finish(log_time);
  const std::string time = "2026-01-02T03:04:05.000000006Z";
  CHECK(fixture.text("deep/er/0.log") == time + " stdout F one\n" + time + " stderr F err\n" +
                                             time + " stderr F \n" + time + " stdout F two\n" +
                                             time + " stdout P end\n");
}

TEST_CASE("logs rotate between lines and keep so many files") {
  const LogFixture fixture;
  auto log = CriLog::open({fixture.directory / "0.log", 200, 3});
  REQUIRE(log);
  for (int i = 0; i < 20; ++i) {
    log->write(LogStream::standard_output, "line " + std::to_string(i) + "\n",
               log_time + std::chrono::seconds(i));
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(fixture.directory)) {
    names.push_back(entry.path().filename().native());
    CHECK(entry.file_size() <= 200);
  }
  std::sort(names.begin(), names.end());
  REQUIRE(names.size() == 3);
  CHECK(names[0] == "0.log");
  CHECK(names[1].starts_with("0.log.20260102-0304"));
  CHECK(fixture.text().ends_with("F line 19\n"));
}

TEST_CASE("users and groups by name and number") {
  UserChoice choice;
  auto resolve = [&](const char* text) {
    choice.image_user = text;
    return resolve_user(choice, passwd, group);
  };
  CHECK(resolve("")->home == "/root");
  CHECK(resolve("web")->uid == 33);
  CHECK(resolve("web")->gid == 44);
  CHECK(resolve("web")->groups == std::vector<std::uint32_t>{55});
  CHECK(resolve("33")->home == "/srv");
  CHECK(resolve("web:www")->gid == 44);
  CHECK(resolve("web:7")->gid == 7);
  CHECK(resolve("4000:www")->uid == 4000);
  CHECK(resolve("4000")->gid == 0);
  CHECK_FALSE(resolve("bad"));
  CHECK_FALSE(resolve("web:none"));
  CHECK_FALSE(resolve("99999999999"));
  choice.uid = 33;
  CHECK(resolve("root:extra")->uid == 33);
  CHECK(resolve("root:extra")->gid == 44);
  choice.must_not_be_root = true;
  CHECK(resolve("root"));
  choice.uid.reset();
  CHECK_FALSE(resolve("0"));
}

TEST_CASE("capabilities: ALL is the wide brush, names are the fine one") {
  SecurityOptions options;
  const auto base = linux::default_container_capabilities();
  const auto net_admin = linux::capability_bit("NET_ADMIN").value();
  CHECK(container_capabilities(options).value() == base);
  options.capabilities_add = {"net_admin"};
  CHECK(container_capabilities(options).value() == (base | net_admin));
  options.capabilities_drop = {"all"};
  CHECK(container_capabilities(options).value() == net_admin);
  options.capabilities_add = {"ALL"};
  options.capabilities_drop = {"NET_ADMIN"};
  CHECK(container_capabilities(options).value() == (linux::all_capabilities() & ~net_admin));
  options.capabilities_drop = {"FLY"};
  CHECK_FALSE(container_capabilities(options));
  options.privileged = true;
  CHECK(container_capabilities(options).value() == linux::all_capabilities());
}

TEST_CASE("a plan mounts the kernel's files first and volumes by depth") {
  PodSandboxSpec pod;
  pod.uid = "u1";
  pod.qos_class = "besteffort";
  pod.hostname = "h";
  CHECK(pod_cgroup("kubepods", pod) == "kubepods/besteffort/podu1");
  ContainerSpec container;
  container.name = "c";
  container.env = {"A=1", "PATH=/mine", "A=2"};
  container.mounts = {{"/v/deep", "/a/b/c", "", false, {}}, {"/v", "/a", "", true, {}}};
  const auto plan = plan_container(pod, container, {"/p", "/p/containers/x", "g"});
  REQUIRE(plan);
  std::vector<std::string> targets;
  for (const MountSpec& mount : plan->spec.mounts) targets.push_back(mount.destination);
  CHECK(targets == std::vector<std::string>{"/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys",
                                            "/sys/fs/cgroup", "/dev/shm", "/a",
                                            "/dev/termination-log", "/a/b/c"});
  CHECK(plan->spec.process.env == std::vector<std::string>{"PATH=/mine", "HOSTNAME=h", "A=2"});
  CHECK(plan->spec.find_namespace("pid") != nullptr);
  CHECK(plan->spec.find_namespace("network") == nullptr);
  CHECK(plan->image.upper == "/p/containers/x/upper");
  pod.qos_class = "guaranteed";
  pod.share_process_namespace = true;
  CHECK(pod_cgroup("kubepods", pod) == "kubepods/podu1");
  CHECK(plan_container(pod, container, {})->spec.find_namespace("pid") == nullptr);
}

TEST_CASE("mount options") {
  const auto options = parse_mount_options(
      {"rbind", "ro", "nosuid", "rslave", "rw", "noatime", "size=5m", "newinstance"});
  CHECK(options.bind);
  CHECK(options.recursive);
  CHECK(options.propagation == MS_SLAVE);
  CHECK((options.set & MOUNT_ATTR_RDONLY) == 0);
  CHECK((options.clear & MOUNT_ATTR_RDONLY) != 0);
  CHECK((options.set & MOUNT_ATTR_NOSUID) != 0);
  CHECK((options.set & MOUNT_ATTR_NOATIME) != 0);
  CHECK(options.data == std::vector<std::string>{"size=5m", "newinstance"});
}

TEST_CASE("records survive a round trip") {
  ContainerSpec container;
  container.name = "main";
  container.attempt = 3;
  container.layers = {"/l/1", "/l/2"};
  container.args = {"a", "b c"};
  container.env = {"X=y"};
  container.working_dir = "/w";
  container.user = {"web:www", 5, 6, {7, 8}};
  container.security.privileged = true;
  container.security.allow_privilege_escalation = false;
  container.security.capabilities_add = {"NET_ADMIN"};
  container.resources.memory_bytes_max = 1 << 20;
  container.mounts = {{"/s", "/t", "sub", true, BindMount::Propagation::bidirectional}};
  container.log_path = "/var/log/x";
  container.oom_score_adj = -997;
  container.tty = true;
  const auto copy = container_spec_from_json(to_json(container));
  REQUIRE(copy);
  CHECK(json::serialize(to_json(*copy)) == json::serialize(to_json(container)));
  CHECK(copy->mounts[0].propagation == BindMount::Propagation::bidirectional);
  CHECK(copy->user.uid == 5);
  CHECK_FALSE(copy->resources.pids_max);

  PodSandboxSpec pod;
  pod.uid = "u";
  pod.sysctls = {{"a.b", "1"}};
  pod.host_pid = true;
  const auto pod_copy = pod_spec_from_json(to_json(pod));
  REQUIRE(pod_copy);
  CHECK(json::serialize(to_json(*pod_copy)) == json::serialize(to_json(pod)));

  ContainerState state;
  state.id = "x";
  state.exit.emplace();
  state.exit->code = 137;
  state.exit->out_of_memory = true;
  state.exit->finished = some_time + 1us;
  const auto state_copy = state_from_json(to_json(state));
  REQUIRE(state_copy);
  CHECK(json::serialize(to_json(*state_copy)) == json::serialize(to_json(state)));
  for (const char* bad : {"null", "[]", "{}", "\"x\"", "{\"uid\":1,\"id\":[],\"name\":{}}"}) {
    const auto value = json::parse(bad).value();
    CHECK_FALSE(container_spec_from_json(value));
    CHECK_FALSE(pod_spec_from_json(value));
    CHECK_FALSE(state_from_json(value));
    CHECK_FALSE(exit_from_json(value));
    CHECK_FALSE(shim_from_json(value));
  }
}

TEST_CASE("messages come whole from any portions, and hostile lengths end the talk") {
  const json::Value message = json::parse("{\"a\":[1,2,3]}").value();
  const std::string bytes = encode_message(message) + encode_message(message);
  MessageReader reader;
  int count = 0;
  for (const char byte : bytes) {
    reader.append(std::string_view(&byte, 1));
    json::Value read;
    while (reader.next(read).value()) {
      CHECK(read == message);
      ++count;
    }
  }
  CHECK(count == 2);
  json::Value unused;
  reader.append("\xff\xff\xff\xff");
  CHECK_FALSE(reader.next(unused));
  MessageReader other;
  other.append(std::string_view("\0\0\0\2{x", 6));
  CHECK_FALSE(other.next(unused));
}

TEST_CASE("channel messages") {
  using Kind = ChannelMessage::Kind;
  for (const Kind kind : {Kind::terminal, Kind::ready, Kind::start_error, Kind::node_error}) {
    const auto message = decode_channel(encode_channel({kind, "text"}));
    CHECK(message.kind == kind);
    CHECK(message.text == "text");
  }
  CHECK(decode_channel("").kind == Kind::node_error);
  CHECK(decode_channel("?").kind == Kind::node_error);
}

}  // namespace koi::runtime
