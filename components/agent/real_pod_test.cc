#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/hollow.h"
#include "agent/log_reader.h"
#include "agent/temporary_directory.h"
#include "base/blocking_pool.h"
#include "base/os.h"
#include "client/memory_client.h"
#include "linux/cgroup.h"
#include "runtime/shim_runtime.h"

// The agent over the real runtime and the real disk: processes, cgroups, mounts, log files.
namespace koi::agent {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const client::Resource pods{"", "v1", "pods"};

// One image: a root file system that holds busybox.
class BusyboxImages final : public images::ImageStore {
 public:
  explicit BusyboxImages(base::Path root) : root_(std::move(root)) {}

  std::optional<images::Image> find(const std::string& /*reference*/) const override {
    images::Image image;
    image.id = "sha256:" + std::string(64, '1');
    image.config.command = {"sh"};
    image.layers = {root_};
    return image;
  }
  std::vector<images::Image> list() const override { return {}; }
  base::Task<base::Result<std::vector<images::Image>>> import(
      const base::Path& /*archive*/, const std::string& /*name*/) override {
    co_return std::vector<images::Image>();
  }
  base::Task<base::Result<>> remove(const std::string& /*reference*/) override {
    co_return base::Result<>();
  }

 private:
  const base::Path root_;
};

struct RealFixture {
  boost::asio::io_context io;
  std::unique_ptr<base::Clock> clock = base::make_os_clock();
  std::unique_ptr<base::Random> random = base::make_os_random();
  base::BlockingPool pool{"agent-test", 2};
  TemporaryDirectory temporary;
  base::Path root = temporary.path() / "rootfs";
  std::string cgroup_parent = "koi-test-" + temporary.path().filename().string();
  client::MemoryClient api{io.get_executor(), *clock, *random};
  BusyboxImages images{root};
  HollowNetwork network;
  std::unique_ptr<VolumeDisk> disk = make_volume_disk();
  std::unique_ptr<Prober> prober = make_prober();
  std::unique_ptr<MachineFacts> machine = make_machine_facts(temporary.path().string());
  base::TaskGroup group{io.get_executor()};
  std::unique_ptr<runtime::ShimRuntime> runtime;
  std::unique_ptr<Agent> agent;

  static std::string missing() {
    if (::geteuid() != 0) return "needs root";
    if (::access("/bin/busybox", X_OK) != 0) return "needs /bin/busybox (busybox-static)";
    const auto tree = linux::detect_cgroups();
    return tree ? std::string() : tree.error().message;
  }

  RealFixture() {
    for (const char* name : {"bin", "etc", "tmp", "proc", "dev", "sys"}) {
      fs::create_directories(root / name);
    }
    fs::copy_file("/bin/busybox", root / "bin/busybox");
    for (const char* name : {"sh", "cat", "sleep", "test", "hostname", "env", "stat"}) {
      fs::create_symlink("busybox", root / "bin" / name);
    }
    boot();
  }

  ~RealFixture() {
    halt();
    run_until([&] { return group.size() == 0; });
    const auto tree = linux::detect_cgroups();
    if (!tree) return;
    (void)linux::kill_cgroup(*tree, cgroup_parent);
    (void)linux::remove_cgroup(*tree, cgroup_parent);
    (void)disk->remove_pod(temporary.path() / "data");
  }

  void boot() {
    runtime::ShimRuntimeOptions runtime_options;
    runtime_options.root = temporary.path() / "runtime";
    runtime_options.cgroup_parent = cgroup_parent;
    runtime_options.shim_command = {KOI_RUNTIME_TOOL, "shim"};
    runtime =
        std::make_unique<runtime::ShimRuntime>(io.get_executor(), pool, *clock, runtime_options);
    AgentOptions options;
    options.node_name = "node-1";
    options.node_ip = "127.0.0.1";
    options.data_dir = temporary.path() / "data";
    options.log_dir = temporary.path() / "logs";
    options.pod_cidr = "10.42.0.0/24";
    const AgentDoors doors{*clock, *random, pool,  api,     *runtime,
                           images, network, *disk, *prober, *machine};
    agent = std::make_unique<Agent>(doors, options, io.get_executor());
    agent->start();
  }

  // Ends the agent and its runtime as their death would: pods go on.
  void halt() {
    if (!agent) return;
    wait(agent->stop());
    wait(runtime->stop());
    agent.reset();
    runtime.reset();
  }

  void add_pod(std::string_view text) {
    auto pod = json::parse(text);
    REQUIRE(pod);
    api.put(pods, std::move(*pod));
  }

  std::string status_text(json::Path path) const {
    const auto pod = api.peek(pods, "default/web");
    return pod ? std::string(json::string_at(pod->value(), path)) : "";
  }
  json::Value container_status() const {
    const auto pod = api.peek(pods, "default/web");
    if (!pod) return nullptr;
    const auto& list = json::array_at(pod->value(), {"status", "containerStatuses"});
    return list.empty() ? json::Value() : list.front();
  }

  template <class Done>
  bool run_until(Done done) {
    const auto deadline = clock->now() + 20s;
    while (!done()) {
      if (clock->now() > deadline) return false;
      io.restart();
      io.run_one_for(20ms);
    }
    return true;
  }

  void wait(base::Task<> task) {
    bool ended = false;
    group.spawn("test", note(std::move(task), ended));
    REQUIRE(run_until([&] { return ended; }));
  }

  // What the log stream gives until it ends.
  std::string read(const LogRequest& request) {
    auto stream = read_log(*agent, pool, io.get_executor(), request);
    REQUIRE(stream);
    std::string text;
    wait(drain(**stream, text));
    return text;
  }

 private:
  static base::Task<> note(base::Task<> task, bool& ended) {
    co_await std::move(task);
    ended = true;
  }
  static base::Task<> drain(http::BodyStream& stream, std::string& text) {
    for (;;) {
      auto part = co_await stream.next();
      if (!part || !*part) co_return;
      for (const auto& segment : **part) text += *segment;
    }
  }
};

constexpr std::string_view web_pod = R"json({"apiVersion": "v1", "kind": "Pod",
  "metadata": {"name": "web", "namespace": "default", "uid": "uid-web", "labels": {"app": "x"},
    "annotations": {"script": "echo $GREETING; hostname; cat /info/labels; echo; . /info/rest\n",
      "rest": "echo >/memory/ok; echo >/scratch/sub/ok; echo writable\n. /info/wait\n",
      "wait": "while :; do sleep 0.05; done\n"}},
  "spec": {"nodeName": "node-1", "terminationGracePeriodSeconds": 5,
    "volumes": [
      {"name": "info", "downwardAPI": {"items": [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "rest", "fieldRef": {"fieldPath": "metadata.annotations['rest']"}},
        {"path": "wait", "fieldRef": {"fieldPath": "metadata.annotations['wait']"}},
        {"path": "script", "fieldRef": {"fieldPath": "metadata.annotations['script']"}}]}},
      {"name": "memory", "emptyDir": {"medium": "Memory"}},
      {"name": "scratch", "emptyDir": {}}],
    "containers": [{"name": "app", "image": "busybox",
      "env": [{"name": "GREETING", "value": "hello $(WHO)"}],
      "command": ["sh", "-c"], "args": ["trap 'echo bye; exit 3' TERM; . /info/script"],
      "readinessProbe": {"exec": {"command": ["test", "-e", "/scratch/sub/ok"]},
        "periodSeconds": 1},
      "volumeMounts": [{"name": "info", "mountPath": "/info"},
        {"name": "memory", "mountPath": "/memory"},
        {"name": "scratch", "mountPath": "/scratch/sub", "subPath": "deep"}]}]},
  "status": {"phase": "Pending"}})json";

}  // namespace

TEST_CASE("a real pod runs, logs, is adopted and goes without a trace [root]") {
  if (const auto why = RealFixture::missing(); !why.empty()) {
    MESSAGE("skipped: " << why);
    return;
  }
  RealFixture fixture;
  fixture.add_pod(web_pod);
  REQUIRE(fixture.run_until([&] { return fixture.status_text({"status", "phase"}) == "Running"; }));
  REQUIRE(fixture.run_until([&] { return json::bool_at(fixture.container_status(), {"ready"}); }));
  const std::string id(json::string_at(fixture.container_status(), {"containerID"}));

  LogRequest request;
  request.name_space = "default";
  request.pod = "web";
  request.container = "app";
  CHECK(fixture.read(request) == "hello $(WHO)\nweb\napp=\"x\"\nwritable\n");

  fixture.halt();
  fixture.boot();
  REQUIRE(
      fixture.run_until([&] { return fixture.agent->find_log("default", "web", "app", false); }));
  CHECK(fixture.agent->find_log("default", "web", "app", false)->running);
  CHECK(json::string_at(fixture.container_status(), {"containerID"}) == id);
  CHECK(json::int_at(fixture.container_status(), {"restartCount"}, -1) == 0);

  client::ObjectRef ref;
  ref.resource = pods;
  ref.name_space = "default";
  ref.name = "web";
  request.options.follow = true;
  request.options.tail_lines = 1;
  auto stream = read_log(*fixture.agent, fixture.pool, fixture.io.get_executor(), request);
  REQUIRE(stream);
  const auto delete_pod = [](RealFixture& test, client::ObjectRef target) -> base::Task<> {
    const client::DeleteOptions options;
    (void)co_await test.api.remove(target, options);
  };
  fixture.wait(delete_pod(fixture, ref));
  std::string text;
  const auto drain = [](http::BodyStream& body, std::string& out) -> base::Task<> {
    for (;;) {
      auto part = co_await body.next();
      if (!part || !*part) co_return;
      for (const auto& segment : **part) out += *segment;
    }
  };
  fixture.wait(drain(**stream, text));
  CHECK(text == "writable\nbye\n");
  REQUIRE(fixture.run_until([&] { return fixture.api.peek(pods, "default/web") == nullptr; }));
  REQUIRE(fixture.run_until([&] { return fixture.agent->pods().empty(); }));
  CHECK_FALSE(fs::exists(fixture.temporary.path() / "data/pods/uid-web"));
  CHECK(fs::is_empty(fixture.temporary.path() / "logs"));
}

TEST_CASE("a real container past its memory limit is OOMKilled [root]") {
  if (const auto why = RealFixture::missing(); !why.empty()) {
    MESSAGE("skipped: " << why);
    return;
  }
  RealFixture fixture;
  fixture.add_pod(R"({"apiVersion": "v1", "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "uid": "uid-oom"},
    "spec": {"nodeName": "node-1", "restartPolicy": "Never", "containers": [{"name": "app",
      "image": "busybox", "command": ["sh", "-c", "x=$(cat /dev/zero | busybox tr '\\0' a); :"],
      "resources": {"limits": {"memory": "16Mi"}}}]}, "status": {"phase": "Pending"}})");
  REQUIRE(fixture.run_until([&] { return fixture.status_text({"status", "phase"}) == "Failed"; }));
  CHECK(json::string_at(fixture.container_status(), {"state", "terminated", "reason"}) ==
        "OOMKilled");
}

}  // namespace koi::agent
