#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "linux/ip_address.h"
#include "linux/netlink_socket.h"
#include "network/pod_network.h"
#include "network/pod_table.h"

namespace koi::network {

// The nf_tables table "koi" of a node, in words of nft:
//
//   map host_ports           protocol . port            : pod address . port
//   map host_ports_of        address . protocol . port  : pod address . port
//   chain host_ports_in      nat prerouting             fib daddr local: dnat by either map
//   chain host_ports_out     nat output                 the same, for the node itself
//   chain leaving            nat postrouting            masquerade from pods to outside the
//   cluster,
//                                                       from pods back to pods by a host port, and
//                                                       from 127.0.0.0/8 to pods
//   chain no_loopback        filter prerouting          drop what comes from pods to 127.0.0.0/8
struct PodRulesConfig {
  std::string bridge;
  linux::IpRange pod_range;
  linux::IpRange cluster_range;
};

// Puts the whole table in place, in one step, with the host ports of every pod.
base::Result<> install_pod_rules(linux::NetlinkSocket& socket, const PodRulesConfig& config,
                                 const PodTable& pods);

// Changes the host ports of one pod. Fails with not_found when the table is not as it was made.
base::Result<> add_host_ports(linux::NetlinkSocket& socket, const linux::IpAddress& pod,
                              const std::vector<HostPort>& ports);
base::Result<> remove_host_ports(linux::NetlinkSocket& socket, const linux::IpAddress& pod,
                                 const std::vector<HostPort>& ports);

// Succeeds when there is none.
base::Result<> remove_pod_rules(linux::NetlinkSocket& socket);

// Fails with invalid for ports and protocols that cannot be.
base::Result<> check_host_ports(const std::vector<HostPort>& ports);

}  // namespace koi::network
