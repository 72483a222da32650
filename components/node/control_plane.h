#pragma once

#include <memory>
#include <string>

#include "apiserver/api_server.h"
#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "client/api_client.h"
#include "crypto/key.h"
#include "datastore/store.h"

namespace koi::node {

struct ControlPlaneOptions {
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_cidr = "10.42.0.0/16";
  std::string advertise_address{};  // where the `kubernetes` service leads
  std::uint16_t advertise_port = 6443;
  std::string server_ca_pem{};  // what pods trust the API server by
};

// API server, controllers and scheduler over one store, on one executor: what `koi server` runs,
// and what simulations run.
class ControlPlane {
 public:
  struct Doors {
    base::Executor executor;
    datastore::Store& store;
    base::Clock& clock;
    base::Random& random;
    apiserver::NodeConnection* nodes = nullptr;
  };

  static base::Result<std::unique_ptr<ControlPlane>> create(
      const Doors& doors, const crypto::PrivateKey& service_account_key,
      const ControlPlaneOptions& options);
  ~ControlPlane();

  // Makes what every cluster begins with, then starts controllers and scheduler. Fails when the
  // store refuses.
  base::Task<base::Result<>> start();
  // In reverse. After a start that failed too.
  base::Task<> stop();

  http::Handler& handler();
  // The transport for someone in this process.
  std::unique_ptr<client::ApiClient> client(auth::Identity identity);

  // The identity of a node's agent.
  static auth::Identity node_identity(const std::string& node_name);

 private:
  struct Parts;
  explicit ControlPlane(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace koi::node
