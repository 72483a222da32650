#include "controllers/controller_manager.h"

#include <utility>

#include "controllers/daemon_set_controller.h"
#include "controllers/deployment_controller.h"
#include "controllers/endpoints_controller.h"
#include "controllers/garbage_collector.h"
#include "controllers/job_controller.h"
#include "controllers/namespace_controller.h"
#include "controllers/namespace_fixture.h"
#include "controllers/node_ipam.h"
#include "controllers/replica_set_controller.h"
#include "controllers/stateful_set_controller.h"
#include "controllers/taint_eviction.h"

namespace koi::controllers {

ControllerManager::ControllerManager(client::ApiClient& client, base::Clock& clock,
                                     base::Random& random, base::Executor executor,
                                     ControllerManagerOptions options)
    : client_(client),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      tasks_(executor),
      own_informers_(options_.informers == nullptr ? std::make_unique<client::InformerFactory>(
                                                         client, clock, random, executor)
                                                   : nullptr),
      informers_(own_informers_ ? *own_informers_ : *options_.informers) {}

ControllerManager::~ControllerManager() = default;

base::Result<> ControllerManager::add_ipam(const Context& context) {
  std::vector<CidrPool> pools;
  for (const auto& cidr : options_.cluster_cidrs) {
    const bool is_v6 = cidr.find(':') != std::string::npos;
    auto pool =
        CidrPool::parse(cidr, is_v6 ? options_.node_cidr_bits_v6 : options_.node_cidr_bits_v4);
    if (!pool) return base::fail(std::move(pool).error().during("cluster address range"));
    pools.push_back(std::move(*pool));
  }
  if (!pools.empty()) controllers_.push_back(std::make_unique<NodeIpam>(context, std::move(pools)));
  return {};
}

void ControllerManager::add_workloads(const Context& context) {
  controllers_.push_back(std::make_unique<DeploymentController>(context));
  controllers_.push_back(std::make_unique<ReplicaSetController>(context));
  controllers_.push_back(std::make_unique<JobController>(context));
  controllers_.push_back(std::make_unique<DaemonSetController>(context));
  controllers_.push_back(std::make_unique<StatefulSetController>(context));
}

base::Result<> ControllerManager::start() {
  const Context context{.client = client_,
                        .clock = clock_,
                        .random = random_,
                        .informers = informers_,
                        .tasks = tasks_};
  if (auto added = add_ipam(context); !added) return added;
  add_workloads(context);
  controllers_.push_back(std::make_unique<NodeLifecycle>(context, options_.node_lifecycle));
  controllers_.push_back(std::make_unique<TaintEviction>(context));
  controllers_.push_back(std::make_unique<PodCollector>(context, options_.pod_collector));
  controllers_.push_back(std::make_unique<EndpointsController>(context));
  controllers_.push_back(std::make_unique<NamespaceFixture>(context, default_service_account()));
  if (!options_.root_ca_pem.empty()) {
    controllers_.push_back(
        std::make_unique<NamespaceFixture>(context, root_ca_config_map(options_.root_ca_pem)));
  }
  if (options_.catalog) {
    inventory_ = std::make_unique<Inventory>(informers_, options_.catalog);
    controllers_.push_back(std::make_unique<NamespaceController>(context, *inventory_));
    controllers_.push_back(std::make_unique<GarbageCollector>(context, *inventory_));
  }
  for (const auto& controller : controllers_) controller->start();
  if (own_informers_) own_informers_->start();
  return {};
}

base::Task<> ControllerManager::stop() {
  if (own_informers_) co_await own_informers_->stop();
  co_await tasks_.stop();
}

void ControllerManager::refresh_catalog() {
  if (inventory_) inventory_->refresh();
}

}  // namespace koi::controllers
