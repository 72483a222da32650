#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "client/api_client.h"
#include "client/informer_factory.h"
#include "client/resource_catalog.h"
#include "controllers/controller.h"
#include "controllers/inventory.h"
#include "controllers/node_lifecycle.h"
#include "controllers/pod_collector.h"

namespace koi::controllers {

struct ControllerManagerOptions {
  // Every kind that is served: what garbage collection and namespace deletion look through.
  client::ResourceCatalog catalog{};
  // The cluster's CA for the ConfigMap kube-root-ca.crt; empty: none is published.
  std::string root_ca_pem{};
  // Where pod addresses come from, "10.42.0.0/16"; one IPv4 and one IPv6 range at most. Empty:
  // nodes bring their own.
  std::vector<std::string> cluster_cidrs{};
  int node_cidr_bits_v4 = 24;
  int node_cidr_bits_v6 = 64;
  NodeLifecycleOptions node_lifecycle{};
  PodCollectorOptions pod_collector{};
  // Informers to share with others of the same process; null: its own.
  client::InformerFactory* informers = nullptr;
};

// All controllers of a cluster. One executor; start() once, and stop() before destruction. While
// nothing changes it makes no request and runs no timer but those that watch over nodes.
class ControllerManager {
 public:
  ControllerManager(client::ApiClient& client, base::Clock& clock, base::Random& random,
                    base::Executor executor, ControllerManagerOptions options);
  ~ControllerManager();

  // Fails with invalid where a cluster range is none. Returns at once; the controllers begin when
  // their informers have listed.
  base::Result<> start();
  base::Task<> stop();

  // Follows kinds that the catalog has gained since.
  void refresh_catalog();

 private:
  base::Result<> add_ipam(const Context& context);
  void add_workloads(const Context& context);

  client::ApiClient& client_;
  base::Clock& clock_;
  base::Random& random_;
  const ControllerManagerOptions options_;
  base::TaskGroup tasks_;
  std::unique_ptr<client::InformerFactory> own_informers_;
  client::InformerFactory& informers_;
  std::unique_ptr<Inventory> inventory_;
  std::vector<std::unique_ptr<Controller>> controllers_;
};

}  // namespace koi::controllers
