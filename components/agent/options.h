#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/files.h"
#include "base/time.h"

namespace koi::base {
class BlockingPool;
class Random;
}  // namespace koi::base
namespace koi::client {
class ApiClient;
}
namespace koi::images {
class ImageStore;
}
namespace koi::network {
class PodNetwork;
}
namespace koi::runtime {
class PodRuntime;
}

namespace koi::agent {

class MachineFacts;
class Prober;
class VolumeDisk;

// The outside world of an agent. Every reference outlives it.
struct AgentDoors {
  base::Clock& clock;
  base::Random& random;
  base::BlockingPool& pool;
  client::ApiClient& api;
  runtime::PodRuntime& runtime;
  images::ImageStore& images;
  network::PodNetwork& network;
  VolumeDisk& disk;
  Prober& prober;
  MachineFacts& machine;
};

struct AgentOptions {
  std::string node_name;
  std::string node_ip;
  base::Path data_dir;  // the agent's own
  base::Path log_dir = "/var/log/pods";
  std::string version = "v1.36.0+koi";  // as the node's status shows it
  bool control_plane = false;           // label the node as one
  std::map<std::string, std::string> labels;
  std::uint16_t api_port = 10250;  // where NodeApi is served: status.daemonEndpoints
  std::int64_t pods_max = 110;
  std::int64_t pids_per_pod_max = 0;  // 0: unlimited

  // The node's range of pod addresses where no controller hands one out.
  std::string pod_cidr;
  std::string cluster_cidr = "10.42.0.0/16";
  std::string cluster_dns;  // empty: names are resolved as the node does
  std::string cluster_domain = "cluster.local";

  base::Duration status_every = std::chrono::minutes{5};
  base::Duration facts_every = std::chrono::seconds{10};  // how often pressure is looked at
};

}  // namespace koi::agent
