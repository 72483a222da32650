#include "node/local_node.h"

#include "agent/agent.h"
#include "agent/machine_facts.h"
#include "agent/node_api.h"
#include "agent/prober.h"
#include "agent/volume_disk.h"
#include "base/log.h"
#include "base/version.h"
#include "http/server.h"
#include "http/socket_stream.h"
#include "images/disk_image_store.h"
#include "images/import_directory.h"
#include "network/pod_network.h"
#include "node/node_commands.h"
#include "node/node_identity.h"
#include "runtime/shim_runtime.h"

namespace koi::node {

using base::Result;
using base::Task;

namespace {

constexpr std::size_t pool_threads = 4;
constexpr auto socket_grace = std::chrono::seconds(1);

}  // namespace

// In the order in which they start.
struct LocalNode::Parts {
  Parts(const Doors& d, LocalNodeOptions o)
      : doors(d), options(std::move(o)), paths(options.data_dir), pool("koi-node", pool_threads) {}

  Doors doors;
  LocalNodeOptions options;
  ServerPaths paths;
  base::BlockingPool pool;
  std::unique_ptr<images::ImageStore> images;
  std::unique_ptr<runtime::ShimRuntime> runtime;
  std::unique_ptr<network::PodNetwork> network;
  std::unique_ptr<agent::VolumeDisk> disk;
  std::unique_ptr<agent::Prober> prober;
  std::unique_ptr<agent::MachineFacts> machine;
  std::unique_ptr<agent::Agent> agent;
  std::unique_ptr<agent::NodeApi> node_api;
  std::unique_ptr<NodeCommands> commands;
  std::unique_ptr<http::Server> command_server;

  Result<> open_stores();
  Task<> import_archives();
  void start_agent(client::ApiClient& api);
  Result<> serve_commands();
  Task<> remove_traces();
};

LocalNode::LocalNode(const Doors& doors, LocalNodeOptions options)
    : parts_(std::make_unique<Parts>(doors, std::move(options))) {}

LocalNode::~LocalNode() = default;

Result<> LocalNode::Parts::open_stores() {
  for (const base::Path& directory :
       {paths.image_archives(), paths.image_store(), paths.runtime(), paths.network()}) {
    if (auto made = doors.files.make_directories(directory, 0700); !made) return made;
  }
  images::DiskImageStoreOptions image_options;
  image_options.root = paths.image_store();
  auto store = images::open_image_store(doors.executor, doors.files, pool, image_options);
  if (!store) return base::fail(std::move(store).error());
  images = std::move(*store);
  runtime::ShimRuntimeOptions runtime_options;
  runtime_options.root = paths.runtime();
  runtime_options.cgroup_parent = cgroup_parent(options.data_dir);
  runtime = std::make_unique<runtime::ShimRuntime>(doors.executor, pool, doors.clock,
                                                   std::move(runtime_options));
  network = network::make_pod_network(doors.files, pool, paths.network());
  disk = agent::make_volume_disk();
  prober = agent::make_prober();
  machine = agent::make_machine_facts(options.data_dir.string());
  return {};
}

Task<> LocalNode::Parts::import_archives() {
  auto imported = co_await images::import_directory(*images, doors.files, pool,
                                                    paths.image_archives(), paths.image_record());
  if (!imported) {
    base::log::warn("image.import.failed", {{"directory", paths.image_archives().string()},
                                            {"error", imported.error().message},
                                            {"next", "the node starts without them"}});
    co_return;
  }
  for (const auto& failure : imported->failures) {
    base::log::warn("image.import.failed", {{"archive", failure.archive},
                                            {"error", failure.error.message},
                                            {"next", "the others are imported all the same"}});
  }
  for (const std::string& archive : imported->imported) {
    base::log::info("image.imported", {{"archive", archive}});
  }
  if (!imported->imported.empty()) agent->images_changed();
}

void LocalNode::Parts::start_agent(client::ApiClient& api) {
  const agent::AgentDoors agent_doors{doors.clock, doors.random, pool,  api,     *runtime,
                                      *images,     *network,     *disk, *prober, *machine};
  agent::AgentOptions agent_options;
  agent_options.node_name = options.node_name;
  agent_options.node_ip = options.node_ip;
  agent_options.data_dir = paths.agent();
  agent_options.log_dir = paths.agent() / "logs";
  agent_options.version = base::kubernetes_version;
  agent_options.control_plane = options.control_plane;
  agent_options.cluster_cidr = options.cluster_cidr;
  agent = std::make_unique<agent::Agent>(agent_doors, std::move(agent_options), doors.executor);
  agent->start();
}

Result<> LocalNode::Parts::serve_commands() {
  auto listener = http::listen_unix(doors.executor, paths.node_socket().string());
  if (!listener) return base::fail(std::move(listener).error());
  commands = std::make_unique<NodeCommands>(*images, [this] { agent->images_changed(); });
  command_server = std::make_unique<http::Server>(doors.clock, *commands,
                                                  std::vector<base::Executor>{doors.executor});
  command_server->listen(std::move(*listener));
  return {};
}

Task<Result<>> LocalNode::start(client::ApiClient& api) {
  Parts& parts = *parts_;
  if (auto opened = parts.open_stores(); !opened) co_return opened;
  parts.start_agent(api);
  parts.node_api = std::make_unique<agent::NodeApi>(*parts.agent, parts.doors.clock, parts.pool,
                                                    parts.doors.executor);
  if (auto served = parts.serve_commands(); !served) co_return served;
  co_await parts.import_archives();
  co_return Result<>();
}

// An empty node gives back what it made on the machine; one with pods leaves them their network.
Task<> LocalNode::Parts::remove_traces() {
  const auto pods = co_await runtime->list();
  if (!pods || !pods->empty()) co_return;
  auto remove = [this]() -> Result<> {
    if (auto removed = network->remove_all(); !removed) return removed;
    return runtime::remove_cgroups(cgroup_parent(options.data_dir));
  };
  const Result<> removed = co_await pool.run(std::move(remove));
  if (!removed) {
    base::log::warn("node.cleanup.failed",
                    {{"error", removed.error().message}, {"next", "'koi killall' tries again"}});
  }
}

Task<> LocalNode::stop() {
  Parts& parts = *parts_;
  if (parts.command_server) co_await parts.command_server->stop(socket_grace);
  if (parts.agent) {
    co_await parts.agent->stop();
    co_await parts.remove_traces();
  }
  if (parts.runtime) co_await parts.runtime->stop();
}

Task<Result<http::Response>> LocalNode::proxy(const std::string& node, http::Request request) {
  if (node != parts_->options.node_name || !parts_->node_api) {
    co_return base::fail(base::Code::unavailable, "node '" + node + "' cannot be reached");
  }
  co_return co_await parts_->node_api->handle(request);
}

}  // namespace koi::node
