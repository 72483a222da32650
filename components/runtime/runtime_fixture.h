#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/os.h"
#include "linux/cgroup.h"
#include "linux/fd.h"
#include "runtime/shim_runtime.h"

// Real pods from a root file system that holds busybox, for tests that run as root.
namespace koi::runtime {

struct RuntimeFixture {
  boost::asio::io_context io;
  base::BlockingPool pool{"runtime-test", 2};
  std::unique_ptr<base::Clock> clock = base::make_os_clock();
  base::Path directory;
  std::string cgroup_parent;
  std::unique_ptr<ShimRuntime> runtime;
  std::unique_ptr<base::TaskGroup> group;

  // Why tests with pods cannot run here; empty when they can.
  static std::string missing() {
    if (::geteuid() != 0) return "needs root";
    if (::access("/bin/busybox", X_OK) != 0) return "needs /bin/busybox (busybox-static)";
    const auto tree = linux::detect_cgroups();
    return tree ? std::string() : tree.error().message;
  }

  RuntimeFixture() {
    char name[] = "/tmp/koi-runtime-XXXXXX";
    directory = ::mkdtemp(name);
    cgroup_parent = "koi-test-" + directory.filename().native();
    make_root();
    group = std::make_unique<base::TaskGroup>(io.get_executor());
    start();
  }

  ~RuntimeFixture() {
    const auto states = wait(runtime->list());
    if (states) {
      for (const PodState& state : *states) (void)wait(runtime->stop_pod(state.spec.uid));
    }
    stop();
    run_until([&] { return group->size() == 0; });
    const auto removed = remove_cgroups(cgroup_parent);
    CHECK_MESSAGE(removed, (removed ? "" : removed.error().message));
    std::error_code error;
    std::filesystem::remove_all(directory, error);
    CHECK_MESSAGE(!error, error.message());
  }

  void start() {
    ShimRuntimeOptions options;
    options.root = directory / "state";
    options.cgroup_parent = cgroup_parent;
    options.shim_command = {KOI_RUNTIME_TOOL, "shim"};
    runtime = std::make_unique<ShimRuntime>(io.get_executor(), pool, *clock, options);
  }

  // Ends the runtime as the agent's death would: the pods go on.
  void stop() {
    wait_void(runtime->stop());
    runtime.reset();
  }

  base::Path root() const { return directory / "rootfs"; }

  void make_root() const {
    for (const char* name : {"bin", "etc", "tmp", "proc", "dev", "sys"}) {
      std::filesystem::create_directories(root() / name);
    }
    std::filesystem::copy_file("/bin/busybox", root() / "bin/busybox");
    for (const char* name : {"sh", "cat", "echo", "id", "sleep", "dd", "true", "ls", "ps", "mount",
                             "hostname", "grep", "kill", "env", "touch", "mknod", "wc", "stat"}) {
      std::filesystem::create_symlink("busybox", root() / "bin" / name);
    }
    write(root() / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:web:/srv:/bin/sh\n");
    write(root() / "etc/group", "root:x:0:\nwww:x:44:\nextra:x:55:web\n");
  }

  static void write(const base::Path& path, const std::string& text) {
    REQUIRE(linux::replace_file(path, text, 0644));
  }

  PodSandboxSpec pod(const std::string& uid = "pod-1") const {
    PodSandboxSpec spec;
    spec.uid = uid;
    spec.name = uid;
    spec.name_space = "default";
    spec.hostname = "the-host";
    spec.qos_class = "burstable";
    return spec;
  }

  ContainerSpec shell(const std::string& name, const std::string& script) const {
    ContainerSpec spec;
    spec.name = name;
    spec.layers = {root()};
    spec.args = {"sh", "-c", script};
    spec.log_path = directory / "logs" / name / "0.log";
    return spec;
  }

  // The text of a container's log without times, streams and tags.
  std::string log_text(const std::string& name) const {
    const auto text = linux::read_file(directory / "logs" / name / "0.log").value_or("");
    std::string result;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string line = text.substr(begin, end - begin);
      begin = end + 1;
      std::size_t at = 0;
      for (int i = 0; i < 3; ++i) at = line.find(' ', at) + 1;
      result += line.substr(at) + "\n";
    }
    return result;
  }

  // Runs the loop until the task has a result.
  template <class T>
  T wait(base::Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    group->spawn("test", store<T>(std::move(task), result));
    run_until([&] { return result->has_value(); });
    return std::move(**result);
  }

  void wait_void(base::Task<> task) {
    auto done = std::make_shared<bool>(false);
    group->spawn("test", store_void(std::move(task), done));
    run_until([&] { return *done; });
  }

  // The end of the container, from the events.
  ContainerExit wait_exit(const std::string& name) {
    for (;;) {
      const RuntimeEvent event = wait(runtime->next_event());
      if (const auto* exited = std::get_if<ContainerExited>(&event)) {
        if (exited->container.name == name) return *exited->container.exit;
      }
    }
  }

  // Starts the container and waits for its end.
  ContainerExit run(const std::string& pod_uid, const ContainerSpec& spec) {
    const auto started = wait(runtime->start_container(pod_uid, spec));
    REQUIRE_MESSAGE(started, (started ? "" : started.error().message));
    return wait_exit(spec.name);
  }

  static base::Task<> start_and_note(ShimRuntime& runtime, ContainerSpec spec, bool& answered) {
    (void)co_await runtime.start_container("pod-1", spec);
    answered = true;
  }

  static base::Task<> start_both(ShimRuntime& runtime, PodSandboxSpec pod, ContainerSpec spec) {
    const auto started = co_await runtime.start_pod(pod);
    CHECK_MESSAGE(started, (started ? "" : started.error().message));
    const auto container = co_await runtime.start_container(pod.uid, spec);
    CHECK_MESSAGE(container, (container ? "" : container.error().message));
  }

  template <class Done>
  void run_until(Done done) {
    io.restart();
    const auto deadline = clock->now() + std::chrono::seconds(60);
    while (!done()) {
      if (clock->now() > deadline) FAIL("nothing happened for 60 seconds");
      io.run_one_for(std::chrono::seconds(1));
    }
  }

 private:
  template <class T>
  static base::Task<> store(base::Task<T> task, std::shared_ptr<std::optional<T>> result) {
    T value = co_await std::move(task);
    result->emplace(std::move(value));
  }
  static base::Task<> store_void(base::Task<> task, std::shared_ptr<bool> done) {
    co_await std::move(task);
    *done = true;
  }
};

}  // namespace koi::runtime
