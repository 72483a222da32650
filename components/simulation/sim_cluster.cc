#include "simulation/sim_cluster.h"

#include "base/check.h"
#include "datastore/sqlite_log.h"

namespace koi::simulation {

using base::Task;

namespace {

constexpr base::WallTime start_of_time{std::chrono::seconds{1'800'000'000}};

crypto::PrivateKey make_key(base::Random& random) {
  auto key = crypto::PrivateKey::generate(random);
  CHECK_THAT(key.has_value(), "a key can be made");
  return *key;
}

}  // namespace

// Everything that a crash of the server takes with it.
struct SimCluster::Server {
  std::unique_ptr<datastore::RevisionLog> log;
  base::BlockingPool disk{"disk", 0};
  std::unique_ptr<datastore::LogStore> store;
  std::unique_ptr<node::ControlPlane> control_plane;
  std::vector<std::unique_ptr<client::ApiClient>> clients;
};

// One machine with its agent. The doors are the machine and stay when the agent goes.
struct SimCluster::Node {
  Node(boost::asio::io_context& io, base::Clock& clock, base::Random& random)
      : api(io.get_executor()), runtime(io.get_executor(), clock, random) {}

  std::string name;
  SwitchClient api;
  base::BlockingPool pool{"node", 0};
  agent::HollowRuntime runtime;
  agent::HollowImages images;
  agent::HollowNetwork network;
  agent::HollowDisk disk;
  agent::HollowProber prober;
  agent::HollowMachine machine;
  std::unique_ptr<agent::Agent> agent;

  void start(boost::asio::io_context& io, base::Clock& clock, base::Random& random) {
    agent::AgentOptions options;
    options.node_name = name;
    options.node_ip = "192.0.2." + name.substr(name.find('-') + 1);
    options.data_dir = "/nodes/" + name;
    const agent::AgentDoors doors{clock,  random,  pool, api,    runtime,
                                  images, network, disk, prober, machine};
    agent = std::make_unique<agent::Agent>(doors, options, io.get_executor());
    agent->start();
  }
};

SimCluster::SimCluster(std::uint64_t seed, int nodes)
    : random_(seed),
      clock_(start_of_time),
      files_(random_),
      vfs_("sim-" + std::to_string(seed), files_, random_),
      signing_key_(make_key(random_)),
      admin_(io_.get_executor()) {
  boot_server();
  for (int i = 0; i < nodes; ++i) {
    auto node = std::make_unique<Node>(io_, clock_, random_);
    node->name = "node-" + std::to_string(10 + i);
    nodes_.push_back(std::move(node));
  }
  for (const auto& node : nodes_) {
    connect(node->api, node::ControlPlane::node_identity(node->name));
    node->start(io_, clock_, random_);
  }
}

SimCluster::~SimCluster() {
  for (const auto& node : nodes_) run_task(node->agent->stop());
  crash_server();
}

void SimCluster::boot_server() {
  auto server = std::make_unique<Server>();
  auto log = datastore::open_sqlite_log("/server/db", vfs_.name());
  CHECK_THAT(log.has_value(), "the datastore opens");
  server->log = std::move(*log);
  server->store = std::make_unique<datastore::LogStore>(
      datastore::LogStore::Doors{clock_, io_.get_executor(), *server->log, server->disk});
  CHECK_THAT(server->store->open().has_value(), "the log is recovered");
  server->store->start();
  node::ControlPlaneOptions options;
  options.advertise_address = "192.0.2.1";
  options.server_ca_pem = "the authority of the simulation\n";
  auto control_plane = node::ControlPlane::create(
      {io_.get_executor(), *server->store, clock_, random_}, signing_key_, options);
  CHECK_THAT(control_plane.has_value(), "the control plane is made");
  server->control_plane = std::move(*control_plane);
  server_ = std::move(server);
  auto started = await(server_->control_plane->start());
  CHECK_THAT(started.has_value(), "the control plane starts");
  connect(admin_, {.name = "admin", .groups = {"system:masters"}});
  for (const auto& node : nodes_) {
    connect(node->api, node::ControlPlane::node_identity(node->name));
  }
}

void SimCluster::connect(SwitchClient& client, auth::Identity identity) {
  server_->clients.push_back(server_->control_plane->client(std::move(identity)));
  client.connect(*server_->clients.back());
}

Task<> SimCluster::disconnect_all() {
  co_await admin_.disconnect();
  for (const auto& node : nodes_) co_await node->api.disconnect();
}

void SimCluster::crash_server() {
  if (!server_) return;
  // From here on nothing reaches the disk: what the process still does while it is taken down has
  // no effect, as if it had died at this instant.
  files_.crash();
  run_task(disconnect_all());
  run_task(server_->control_plane->stop());
  run_task(server_->store->stop());
  server_.reset();
}

void SimCluster::restart_agent(std::size_t index) {
  Node& node = *nodes_.at(index);
  run_task(node.agent->stop());
  node.agent.reset();
  node.start(io_, clock_, random_);
}

void SimCluster::run_task(Task<> task) {
  bool done = false;
  auto mark = [](Task<> inner, bool& flag) -> Task<> {
    co_await std::move(inner);
    flag = true;
  };
  base::TaskGroup group(io_.get_executor());
  group.spawn("simulation", mark(std::move(task), done));
  const bool ended =
      testing::run_until(io_, clock_, std::chrono::hours(1), [&done] { return done; });
  CHECK_THAT(ended, "a task of the simulation ends within an hour of its time");
  testing::run_ready(io_);
}

void SimCluster::run_for(base::Duration duration) {
  const base::MonoTime end = clock_.now() + duration;
  testing::run_until(io_, clock_, duration, [] { return false; });
  if (clock_.now() < end) clock_.advance(end - clock_.now());
  testing::run_ready(io_);
}

std::vector<api::ObjectPtr> SimCluster::objects(const client::Resource& resource) const {
  std::vector<api::ObjectPtr> found;
  if (!server_) return found;
  const std::string group = resource.group.empty() ? "core" : resource.group;
  const auto range = server_->store->range("/registry/" + group + "/" + resource.plural + "/", {});
  if (!range) return found;
  for (const auto& entry : range->entries) found.push_back(entry->object);
  return found;
}

std::uint64_t SimCluster::trace() const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  };
  if (server_) {
    const auto all = server_->store->range("/registry/core/pods/", {});
    if (all) {
      for (const auto& entry : all->entries) mix(entry->object->bytes());
    }
    mix(std::to_string(server_->store->current_revision()));
  }
  for (const auto& node : nodes_) {
    for (const std::string& call : node->runtime.calls) mix(call);
  }
  return hash;
}

}  // namespace koi::simulation
