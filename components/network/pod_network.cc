#include "network/pod_network.h"

#include <fcntl.h>
#include <linux/netlink.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/blocking_pool.h"
#include "base/log.h"
#include "linux/net_namespace.h"
#include "linux/network_links.h"
#include "network/host_firewall.h"
#include "network/pod_rules.h"
#include "network/pod_table.h"

namespace koi::network {

namespace {

const std::string bridge_name = "koi0";
const std::string pod_link_name = "eth0";
constexpr std::uint32_t mtu_default = 1500;
// Marks the host ends of pods' links: the kernel removes hundreds of a group as fast as one.
constexpr std::uint32_t link_group = 0x6b6f69;
constexpr auto link_ready_timeout = std::chrono::milliseconds(5'000);
constexpr std::size_t state_bytes_max = 16 * 1024 * 1024;

// Follows from the address, so that neighbours need not forget when an address gets a new owner.
linux::MacAddress mac_of(const linux::IpAddress& address) {
  return {0x0a, 0x58, address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]};
}

class KernelPodNetwork final : public PodNetwork {
 public:
  KernelPodNetwork(base::Files& files, base::BlockingPool& pool, base::Path state_dir)
      : files_(files), pool_(pool), state_dir_(std::move(state_dir)) {}

  base::Result<> start(const NodeNetworkConfig& config) override {
    const std::lock_guard guard(mutex_);
    auto outcome = start_locked(config);
    if (outcome) return outcome;
    return base::fail(std::move(outcome).error().during("start pod network"));
  }

  base::Task<base::Result<PodAddress>> attach(std::string pod_uid, std::string netns_path,
                                              std::vector<HostPort> host_ports) override {
    auto work = [this, &pod_uid, &netns_path, &host_ports] {
      return attach_blocking(pod_uid, netns_path, host_ports);
    };
    auto outcome = co_await pool_.run(std::move(work));
    if (outcome) co_return outcome;
    co_return base::fail(std::move(outcome).error().during("attach pod to network"));
  }

  base::Task<base::Result<>> detach(std::string pod_uid) override {
    auto work = [this, &pod_uid] { return detach_blocking(pod_uid); };
    auto outcome = co_await pool_.run(std::move(work));
    if (outcome) co_return outcome;
    co_return base::fail(std::move(outcome).error().during("detach pod from network"));
  }

  base::Task<base::Result<>> reclaim(std::vector<std::string> live_pod_uids) override {
    auto work = [this, &live_pod_uids] { return reclaim_blocking(live_pod_uids); };
    co_return co_await pool_.run(std::move(work));
  }

  base::Result<> remove_all() override;

 private:
  // What attach() works with outside the lock.
  struct Plan {
    linux::IpAddress address;
    linux::IpAddress gateway;
    unsigned bits = 0;
    std::uint32_t mtu = 0;
    int bridge = 0;
  };

  base::Result<> start_locked(const NodeNetworkConfig& config);
  base::Result<> load_table(const linux::IpRange& range, bool bridge_is_there);
  base::Result<int> make_bridge(linux::NetworkLinks& links);
  base::Result<> set_bridge_address(linux::NetworkLinks& links, int bridge);
  base::Result<> set_sysctls();
  base::Result<std::uint32_t> choose_mtu(linux::NetworkLinks& links, std::uint32_t wanted);
  base::Result<> install_rules();

  base::Result<PodAddress> attach_blocking(const std::string& pod_uid,
                                           const std::string& netns_path,
                                           const std::vector<HostPort>& host_ports);
  base::Result<Plan> enter_pod(const std::string& pod_uid, linux::NetworkLinks& inside,
                               const std::vector<HostPort>& host_ports);
  base::Result<> connect(const std::string& pod_uid, int net_namespace, linux::NetworkLinks& inside,
                         const Plan& plan);
  base::Result<> open_host_ports(const linux::IpAddress& pod, const std::vector<HostPort>& ports);
  static base::Result<> disconnect(const std::string& pod_uid);
  base::Result<> forget(const std::string& pod_uid);
  base::Result<> detach_blocking(const std::string& pod_uid);
  base::Result<> reclaim_blocking(const std::vector<std::string>& live_pod_uids);
  base::Result<> save();

  base::Path state_path() const { return state_dir_ / "pods.json"; }

  base::Files& files_;
  base::BlockingPool& pool_;
  base::Path state_dir_;

  std::mutex mutex_;  // guards everything below
  std::optional<PodTable> table_;
  PodRulesConfig rules_;
  std::uint32_t mtu_ = mtu_default;
  int bridge_ = 0;
};

// 1 table of addresses  2 bridge with the gateway's address  3 forwarding  4 rules.
base::Result<> KernelPodNetwork::start_locked(const NodeNetworkConfig& config) {
  auto pod_range = linux::parse_ip_range(config.pod_cidr);
  if (!pod_range) return base::fail(std::move(pod_range).error());
  auto cluster_range = linux::parse_ip_range(config.cluster_cidr);
  if (!cluster_range) return base::fail(std::move(cluster_range).error());
  if (!cluster_range->contains(pod_range->first())) {
    return base::fail(base::Code::invalid, "pod range '" + config.pod_cidr +
                                               "' lies outside the cluster's '" +
                                               config.cluster_cidr + "'");
  }
  auto links = linux::NetworkLinks::open();
  if (!links) return base::fail(std::move(links).error());
  const auto bridge = links->find(bridge_name);
  if (!bridge && bridge.error().code != base::Code::not_found) return base::fail(bridge.error());
  if (auto loaded = load_table(*pod_range, bridge.has_value()); !loaded) return loaded;
  auto mtu = choose_mtu(*links, config.mtu);
  if (!mtu) return base::fail(std::move(mtu).error());
  mtu_ = *mtu;
  auto made = make_bridge(*links);
  if (!made) return base::fail(std::move(made).error());
  bridge_ = *made;
  if (auto set = set_sysctls(); !set) return set;
  rules_ = {
      .bridge = bridge_name, .pod_range = table_->pool().range(), .cluster_range = *cluster_range};
  if (auto installed = install_rules(); !installed) return installed;
  return save();
}

base::Result<> KernelPodNetwork::load_table(const linux::IpRange& range, bool bridge_is_there) {
  auto pool = AddressPool::make(range);
  if (!pool) return base::fail(std::move(pool).error());
  // Without the bridge the machine was restarted, and no pod of before lives.
  if (!table_ && bridge_is_there) {
    const auto text = files_.read_all(state_path(), state_bytes_max);
    if (text) {
      auto parsed = PodTable::parse(*text);
      if (parsed) {
        table_ = std::move(*parsed);
      } else {
        base::log::warn("network.addresses.lost",
                        {{"error", parsed.error().message},
                         {"next", "taking addresses from the pods as they attach"}});
      }
    }
  }
  if (!table_ || table_->empty()) {
    table_.emplace(std::move(*pool));
    return {};
  }
  if (table_->pool().range() == pool->range()) return {};
  return base::fail(base::Code::conflict, "pods are still attached with addresses of '" +
                                              table_->pool().range().text() +
                                              "'; remove them before changing the node's range");
}

base::Result<std::uint32_t> KernelPodNetwork::choose_mtu(linux::NetworkLinks& links,
                                                         std::uint32_t wanted) {
  if (wanted != 0) return wanted;
  auto routes = links.routes();
  if (!routes) return base::fail(std::move(routes).error());
  const auto standard = std::ranges::find_if(
      *routes, [](const linux::Route& route) { return !route.target && route.gateway; });
  if (standard == routes->end()) return mtu_default;
  auto all = links.list();
  if (!all) return base::fail(std::move(all).error());
  const auto link = std::ranges::find(*all, standard->link, &linux::Link::index);
  return link == all->end() ? mtu_default : link->mtu;
}

base::Result<int> KernelPodNetwork::make_bridge(linux::NetworkLinks& links) {
  const linux::MacAddress mac = mac_of(table_->pool().gateway());
  auto made = links.add_bridge(bridge_name, mac);
  if (!made && made.error().code != base::Code::already_exists) {
    return base::fail(std::move(made).error());
  }
  auto bridge = links.find(bridge_name);
  if (!bridge) return base::fail(std::move(bridge).error());
  if (bridge->kind != "bridge") {
    return base::fail(base::Code::conflict,
                      "link '" + bridge_name + "' is there and is no bridge; remove it");
  }
  // A change of range changes the gateway and with it the address that follows from it.
  if (bridge->mac != mac) {
    if (auto gone = links.remove(bridge->index); !gone) return base::fail(std::move(gone).error());
    made = links.add_bridge(bridge_name, mac);
    if (!made) return base::fail(std::move(made).error());
    bridge = links.find(bridge_name);
    if (!bridge) return base::fail(std::move(bridge).error());
  }
  if (auto set = links.set_mtu(bridge->index, mtu_); !set) {
    return base::fail(std::move(set).error());
  }
  if (auto up = links.set_up(bridge->index); !up) return base::fail(std::move(up).error());
  if (auto set = set_bridge_address(links, bridge->index); !set) {
    return base::fail(std::move(set).error());
  }
  return bridge->index;
}

base::Result<> KernelPodNetwork::set_bridge_address(linux::NetworkLinks& links, int bridge) {
  const linux::LinkAddress wanted{.link = bridge,
                                  .range = {table_->pool().gateway(), table_->pool().range().bits}};
  auto addresses = links.addresses();
  if (!addresses) return base::fail(std::move(addresses).error());
  for (const linux::LinkAddress& address : *addresses) {
    const bool other = address.link == bridge && address.range.address.family == AF_INET &&
                       address.range != wanted.range;
    if (!other) continue;
    if (auto gone = links.remove_address(address); !gone) return gone;
  }
  return links.add_address(wanted);
}

base::Result<> KernelPodNetwork::set_sysctls() {
  const std::pair<std::string, std::string> wanted[] = {
      {"net/ipv4/ip_forward", "1"},
      // Lets the node itself reach host ports at 127.0.0.1; the rules keep pods from abusing it.
      {"net/ipv4/conf/" + bridge_name + "/route_localnet", "1"},
  };
  for (const auto& [name, value] : wanted) {
    if (auto written = linux::write_sysctl(name, value); !written) return written;
  }
  return {};
}

base::Result<> KernelPodNetwork::install_rules() {
  auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return base::fail(std::move(socket).error());
  if (auto installed = install_pod_rules(*socket, rules_, *table_); !installed) return installed;
  return open_host_firewall(*socket, bridge_name);
}

base::Result<> KernelPodNetwork::save() {
  if (auto made = files_.make_directories(state_dir_, 0700); !made) return made;
  // A power loss ends every pod as well, so only a crash of koi must leave this whole.
  return linux::replace_file(state_path(), table_->serialize());
}

// 1 address and host ports in the table, on disk  2 link  3 rules. A failure undoes what was done.
base::Result<PodAddress> KernelPodNetwork::attach_blocking(
    const std::string& pod_uid, const std::string& netns_path,
    const std::vector<HostPort>& host_ports) {
  if (auto good = check_host_ports(host_ports); !good) return base::fail(std::move(good).error());
  auto net_namespace = linux::open_file(netns_path, O_RDONLY);
  if (!net_namespace) return base::fail(std::move(net_namespace).error());
  auto inside = linux::NetworkLinks::open_in(net_namespace->get());
  if (!inside) return base::fail(std::move(inside).error());
  auto plan = enter_pod(pod_uid, *inside, host_ports);
  if (!plan) return base::fail(std::move(plan).error());
  auto done = connect(pod_uid, net_namespace->get(), *inside, *plan);
  if (done) done = open_host_ports(plan->address, host_ports);
  if (!done) {
    (void)detach_blocking(pod_uid);
    return base::fail(std::move(done).error());
  }
  return PodAddress{.ip = plan->address.text(), .gateway = plan->gateway.text()};
}

base::Result<KernelPodNetwork::Plan> KernelPodNetwork::enter_pod(
    const std::string& pod_uid, linux::NetworkLinks& inside,
    const std::vector<HostPort>& host_ports) {
  auto link = inside.find(pod_link_name);
  auto addresses = inside.addresses();
  if (!addresses) return base::fail(std::move(addresses).error());
  const std::lock_guard guard(mutex_);
  if (!table_) return base::fail(base::Code::unavailable, "the pod network is not started");
  // A pod that the table has forgotten still has its address.
  for (const linux::LinkAddress& address : *addresses) {
    if (link && address.link == link->index) {
      table_->pool().adopt(pod_uid, address.range.address);
    }
  }
  const std::vector<HostPort> before = table_->host_ports(pod_uid);
  auto address = table_->add(pod_uid, host_ports);
  if (!address) return base::fail(std::move(address).error());
  if (before != host_ports && !before.empty()) {
    auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
    if (socket) (void)remove_host_ports(*socket, *address, before);
  }
  if (auto saved = save(); !saved) {
    table_->remove(pod_uid);
    return base::fail(std::move(saved).error());
  }
  return Plan{.address = *address,
              .gateway = table_->pool().gateway(),
              .bits = table_->pool().range().bits,
              .mtu = mtu_,
              .bridge = bridge_};
}

base::Result<> KernelPodNetwork::connect(const std::string& pod_uid, int net_namespace,
                                         linux::NetworkLinks& inside, const Plan& plan) {
  auto loopback = inside.find("lo");
  if (!loopback) return base::fail(std::move(loopback).error());
  if (auto up = inside.set_up(loopback->index); !up) return up;
  auto links = linux::NetworkLinks::open();
  if (!links) return base::fail(std::move(links).error());
  const std::string host_link = host_link_name(pod_uid);
  auto outer = links->find(host_link);
  auto inner = inside.find(pod_link_name);
  const bool connected =
      outer && inner && outer->master == plan.bridge && inner->mac == mac_of(plan.address);
  if (!connected) {
    if (outer) {
      if (auto gone = links->remove(outer->index); !gone) return gone;
    } else if (inner) {
      if (auto gone = inside.remove(inner->index); !gone) return gone;
    }
    const linux::VethPair pair{.name = host_link,
                               .mtu = plan.mtu,
                               .master = plan.bridge,
                               .peer_name = pod_link_name,
                               .peer_net_namespace = net_namespace,
                               .peer_mac = mac_of(plan.address),
                               .group = link_group};
    if (auto added = links->add_veth(pair); !added) return added;
    outer = links->find(host_link);
    inner = inside.find(pod_link_name);
    if (!outer) return base::fail(std::move(outer).error());
    if (!inner) return base::fail(std::move(inner).error());
    if (auto set = links->set_hairpin(outer->index); !set) return set;
  }
  if (auto up = inside.set_up(inner->index); !up) return up;
  const linux::LinkAddress address{.link = inner->index, .range = {plan.address, plan.bits}};
  if (auto added = inside.add_address(address); !added) return added;
  const linux::Route route{.target = {}, .gateway = plan.gateway, .link = inner->index};
  if (auto set = inside.set_route(route); !set) return set;
  // The pod's first packets must not be lost: whoever sends them waits a second to try again.
  // The bridge has a carrier only since its first port does.
  for (const std::string& link : {host_link, bridge_name}) {
    auto ready = links->wait_until_operational(link, link_ready_timeout);
    if (!ready) return ready;
  }
  return {};
}

base::Result<> KernelPodNetwork::open_host_ports(const linux::IpAddress& pod,
                                                 const std::vector<HostPort>& ports) {
  if (ports.empty()) return {};
  const std::lock_guard guard(mutex_);
  auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return base::fail(std::move(socket).error());
  if (add_host_ports(*socket, pod, ports)) return {};
  // Someone flushed the rules: all of them are due again.
  return install_pod_rules(*socket, rules_, *table_);
}

// The kernel takes some 20 ms to remove a link, so nobody waits for it at the lock.
base::Result<> KernelPodNetwork::disconnect(const std::string& pod_uid) {
  auto links = linux::NetworkLinks::open();
  if (!links) return base::fail(std::move(links).error());
  auto link = links->find(host_link_name(pod_uid));
  if (link) return links->remove(link->index);
  if (link.error().code == base::Code::not_found) return {};
  return base::fail(std::move(link).error());
}

base::Result<> KernelPodNetwork::forget(const std::string& pod_uid) {
  const std::lock_guard guard(mutex_);
  if (!table_) return {};
  const auto address = table_->pool().find(pod_uid);
  if (!address) return {};
  const std::vector<HostPort> ports = table_->host_ports(pod_uid);
  table_->remove(pod_uid);
  if (!ports.empty()) {
    auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket) return base::fail(std::move(socket).error());
    if (!remove_host_ports(*socket, *address, ports)) {
      if (auto installed = install_pod_rules(*socket, rules_, *table_); !installed) {
        return installed;
      }
    }
  }
  return save();
}

base::Result<> KernelPodNetwork::detach_blocking(const std::string& pod_uid) {
  if (auto gone = disconnect(pod_uid); !gone) return gone;
  return forget(pod_uid);
}

base::Result<> KernelPodNetwork::reclaim_blocking(const std::vector<std::string>& live_pod_uids) {
  std::set<std::string> gone;
  std::set<std::string> live_links;
  int bridge = 0;
  {
    const std::lock_guard guard(mutex_);
    if (!table_) return base::fail(base::Code::unavailable, "the pod network is not started");
    for (const auto& [uid, address] : table_->pool().owners()) gone.insert(uid);
    bridge = bridge_;
  }
  for (const std::string& uid : live_pod_uids) {
    gone.erase(uid);
    live_links.insert(host_link_name(uid));
  }
  for (const std::string& uid : gone) {
    if (auto detached = detach_blocking(uid); !detached) return detached;
  }
  auto links = linux::NetworkLinks::open();
  if (!links) return base::fail(std::move(links).error());
  auto all = links->list();
  if (!all) return base::fail(std::move(all).error());
  for (const linux::Link& link : *all) {
    if (link.master != bridge || link.kind != "veth" || live_links.contains(link.name)) continue;
    if (auto removed = links->remove(link.index); !removed) return removed;
  }
  return {};
}

base::Result<> KernelPodNetwork::remove_all() {
  const std::lock_guard guard(mutex_);
  auto links = linux::NetworkLinks::open();
  if (!links) return base::fail(std::move(links).error());
  if (auto gone = links->remove_group(link_group); !gone) return gone;
  auto bridge = links->find(bridge_name);
  if (bridge) {
    if (auto gone = links->remove(bridge->index); !gone) return gone;
  } else if (bridge.error().code != base::Code::not_found) {
    return base::fail(std::move(bridge).error());
  }
  auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return base::fail(std::move(socket).error());
  if (auto gone = close_host_firewall(*socket); !gone) return gone;
  if (auto gone = remove_pod_rules(*socket); !gone) return gone;
  table_.reset();
  bridge_ = 0;
  return files_.remove(state_path());
}

}  // namespace

std::unique_ptr<PodNetwork> make_pod_network(base::Files& files, base::BlockingPool& pool,
                                             base::Path state_dir) {
  return std::make_unique<KernelPodNetwork>(files, pool, std::move(state_dir));
}

}  // namespace koi::network
