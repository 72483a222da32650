#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/task.h"

namespace koi::base {
class BlockingPool;
}

namespace koi::network {

// What a node must know before its first pod. Addresses are text, as the API shows them.
struct NodeNetworkConfig {
  std::string pod_cidr;      // this node's range: "10.42.0.0/24"
  std::string cluster_cidr;  // all nodes' ranges: "10.42.0.0/16"; traffic inside keeps its source
  std::string node_ip;       // "192.0.2.10": what host ports also listen on
  std::uint32_t mtu = 0;     // of the pods' interfaces; 0: that of the node's default route
};

// A port of the node that leads to a port of a pod (containers[].ports[].hostPort).
struct HostPort {
  std::string protocol;  // "TCP", "UDP" or "SCTP"
  std::string host_ip;   // empty or "0.0.0.0": every address of the node
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct PodAddress {
  std::string ip;       // "10.42.0.7": the API's status.podIP
  std::string gateway;  // "10.42.0.1": how the pod sees its node

  friend bool operator==(const PodAddress&, const PodAddress&) = default;
};

// The network of one node's pods: bridge, addresses, routes, masquerade and host ports. Pods with
// hostNetwork never come here. One instance per node; calls on the agent's executor, work is done
// on a pool. Every call is idempotent, so a restarted agent repeats them freely.
class PodNetwork {
 public:
  virtual ~PodNetwork() = default;

  // Makes bridge, forwarding and rules. Called before any attach; again when the config changes
  // (the node's range may only change while no pod is attached: conflict). Blocks for milliseconds.
  virtual base::Result<> start(const NodeNetworkConfig& config) = 0;

  // Connects the network namespace at `netns_path` (e.g. "/proc/123/ns/net"): loopback up, "eth0"
  // with an address and a default route. The same uid gets the same address again, also after a
  // restart of koi. Fails with unavailable when the node's range is used up and with conflict when
  // a host port is taken by another pod. A failure leaves nothing behind.
  virtual base::Task<base::Result<PodAddress>> attach(std::string pod_uid, std::string netns_path,
                                                      std::vector<HostPort> host_ports) = 0;

  // Gives address, interface and host ports back. Succeeds when the pod was never attached.
  virtual base::Task<base::Result<>> detach(std::string pod_uid) = 0;

  // Gives back what belongs to pods that no longer exist: after a restart, once the agent knows
  // which pods live.
  virtual base::Task<base::Result<>> reclaim(std::vector<std::string> live_pod_uids) = 0;

  // Removes bridge, interfaces, rules and addresses: the node is as before start().
  virtual base::Result<> remove_all() = 0;
};

// The network made of kernel parts, in the network namespace that the pool's threads are in.
// Remembers addresses below `state_dir`. Both references must outlive the result.
std::unique_ptr<PodNetwork> make_pod_network(base::Files& files, base::BlockingPool& pool,
                                             base::Path state_dir);

}  // namespace koi::network
