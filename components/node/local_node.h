#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apiserver/node_connection.h"
#include "base/blocking_pool.h"
#include "base/files.h"
#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "client/api_client.h"
#include "node/server_paths.h"

namespace koi::node {

struct LocalNodeOptions {
  base::Path data_dir;
  std::string node_name;
  std::string node_ip;
  std::string cluster_cidr;
  bool control_plane = false;
};

// The node of this process: its images, sandboxes and network on the real machine, its agent, and
// the socket for its commands. One executor.
class LocalNode final : public apiserver::NodeConnection {
 public:
  struct Doors {
    base::Executor executor;
    base::Clock& clock;
    base::Random& random;
    base::Files& files;
  };

  LocalNode(const Doors& doors, LocalNodeOptions options);
  ~LocalNode() override;

  // Opens the stores, imports the archives that wait, starts the agent. Fails when the machine
  // cannot run pods, and says what is missing.
  base::Task<base::Result<>> start(client::ApiClient& api);
  // Pods go on; when there are none, everything that koi made on the machine is removed.
  base::Task<> stop();

  // What only the node can answer. Fails with unavailable for another node's name.
  base::Task<base::Result<http::Response>> proxy(const std::string& node,
                                                 http::Request request) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace koi::node
