#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "linux/ip_address.h"
#include "linux/netlink_socket.h"

// Links, addresses and routes of one network namespace, in rtnetlink's words. Names are at most 15
// bytes long.
namespace koi::linux {

using MacAddress = std::array<std::uint8_t, 6>;

struct Link {
  int index = 0;
  std::string name;
  std::string kind;          // "bridge", "veth", ...; empty for hardware and loopback
  bool up = false;           // administratively
  bool operational = false;  // passes packets
  std::uint32_t mtu = 0;
  int master = 0;  // index of the bridge it is a port of
  MacAddress mac{};
};

struct VethPair {
  std::string name;
  std::uint32_t mtu = 0;
  int master = 0;  // index of the bridge to put `name` into, 0 for none
  std::string peer_name;
  int peer_net_namespace = -1;  // -1: the same
  MacAddress peer_mac{};        // zeros: the kernel chooses
  std::uint32_t group = 0;      // of `name`, for remove_group()
};

struct LinkAddress {
  int link = 0;
  IpRange range;  // the address itself and the length of its subnet
};

struct Route {
  std::optional<IpRange> target;  // empty: the default route
  std::optional<IpAddress> gateway;
  int link = 0;
};

class NetworkLinks {
 public:
  // Of the calling thread's namespace, or of another.
  static base::Result<NetworkLinks> open();
  static base::Result<NetworkLinks> open_in(int net_namespace);

  base::Result<std::vector<Link>> list();
  base::Result<Link> find(const std::string& name);  // not_found

  base::Result<> add_bridge(const std::string& name, const MacAddress& mac);
  // `name` comes up at once, its peer by set_up() in its own namespace.
  base::Result<> add_veth(const VethPair& pair);
  base::Result<> set_up(int link);
  // Returns once a link that is up passes packets, which the kernel arranges in the background:
  // what is sent earlier is lost. Fails with timeout.
  base::Result<> wait_until_operational(const std::string& name, std::chrono::milliseconds timeout);
  base::Result<> set_mtu(int link, std::uint32_t mtu);
  // Lets a bridge send a frame back through the port that it came from.
  base::Result<> set_hairpin(int link);
  // Succeeds when it is already gone.
  base::Result<> remove(int link);
  // All links of a group that is not 0, in the time that one takes. Succeeds when there is none.
  base::Result<> remove_group(std::uint32_t group);

  base::Result<std::vector<LinkAddress>> addresses();
  // Succeeds when it is already there.
  base::Result<> add_address(const LinkAddress& address);
  base::Result<> remove_address(const LinkAddress& address);

  // Of the main table.
  base::Result<std::vector<Route>> routes();
  // Takes the place of another route to the same target.
  base::Result<> set_route(const Route& route);

 private:
  explicit NetworkLinks(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
};

}  // namespace koi::linux
