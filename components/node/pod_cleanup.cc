#include "node/pod_cleanup.h"

#include <boost/asio/io_context.hpp>

#include "base/blocking_pool.h"
#include "base/os.h"
#include "network/pod_network.h"
#include "node/data_lock.h"
#include "node/node_identity.h"
#include "node/server_paths.h"
#include "runtime/shim_runtime.h"

namespace koi::node {

namespace {

using base::Result;
using base::Task;

Task<> stop_pods(runtime::ShimRuntime& runtime, Result<std::size_t>& outcome) {
  auto pods = co_await runtime.list();
  if (!pods) {
    outcome = base::fail(std::move(pods).error());
  } else {
    outcome = pods->size();
    for (const runtime::PodState& pod : *pods) {
      auto stopped = co_await runtime.stop_pod(pod.spec.uid);
      if (!stopped) outcome = base::fail(std::move(stopped).error());
    }
  }
  co_await runtime.stop();
}

}  // namespace

Result<std::size_t> end_all_pods(const base::Path& data_dir) {
  const ServerPaths paths(data_dir);
  auto lock = DataLock::take(paths);
  if (!lock) return base::fail(std::move(lock).error());
  boost::asio::io_context io;
  const auto clock = base::make_os_clock();
  const auto files = base::make_os_files();
  base::BlockingPool pool("cleanup", 2);
  runtime::ShimRuntimeOptions options;
  options.root = paths.runtime();
  options.cgroup_parent = cgroup_parent(data_dir);
  runtime::ShimRuntime runtime(io.get_executor(), pool, *clock, options);
  Result<std::size_t> outcome = std::size_t{0};
  base::TaskGroup tasks(io.get_executor());
  tasks.spawn("stop pods", stop_pods(runtime, outcome));
  io.run();
  const auto network = network::make_pod_network(*files, pool, paths.network());
  if (auto removed = network->remove_all(); !removed && outcome) {
    return base::fail(std::move(removed).error());
  }
  if (auto removed = runtime::remove_cgroups(cgroup_parent(data_dir)); !removed && outcome) {
    return base::fail(std::move(removed).error());
  }
  return outcome;
}

}  // namespace koi::node
