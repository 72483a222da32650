#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/address_pool.h"
#include "network/pod_network.h"

namespace koi::network {

// Which pods are attached, with which addresses and host ports: a value, and its form on disk.
class PodTable {
 public:
  explicit PodTable(AddressPool pool) : pool_(std::move(pool)) {}

  // Puts a pod in, or completes the one that is there. Fails with unavailable, or with conflict
  // when another pod has a host port; the table is then as before.
  base::Result<linux::IpAddress> add(const std::string& pod_uid,
                                     const std::vector<HostPort>& host_ports);
  void remove(const std::string& pod_uid);

  AddressPool& pool() { return pool_; }
  const AddressPool& pool() const { return pool_; }
  const std::vector<HostPort>& host_ports(const std::string& pod_uid) const;
  bool empty() const { return pool_.owners().empty(); }

  std::string serialize() const;
  // Fails with corrupt.
  static base::Result<PodTable> parse(std::string_view text);

 private:
  AddressPool pool_;
  std::map<std::string, std::vector<HostPort>> ports_;  // of pods that have any
};

// Whether a host port's address stands for all of the node's.
bool is_every_address(const std::string& host_ip);

// Whether two pods cannot have both.
bool overlaps(const HostPort& left, const HostPort& right);

// The host ends of pods' links are named after their uids: "koi" and 12 hexadecimal digits.
std::string host_link_name(const std::string& pod_uid);

}  // namespace koi::network
