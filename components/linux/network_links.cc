#include "linux/network_links.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <algorithm>

#include "linux/process.h"

namespace koi::linux {

namespace {

constexpr std::uint8_t operstate_up = 6;  // IF_OPER_UP, whose header clashes with <net/if.h>
constexpr std::uint16_t creating = NLM_F_CREATE | NLM_F_EXCL;

ifinfomsg link_header(int index, unsigned flags = 0) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = flags;
  return header;
}

base::Result<> check_name(const std::string& name) {
  if (!name.empty() && name.size() < IFNAMSIZ) return {};
  return base::fail(base::Code::invalid, "'" + name + "' is no name for a link");
}

base::Result<> during(base::Result<> outcome, const std::string& action) {
  if (outcome) return outcome;
  return base::fail(std::move(outcome).error().during(action));
}

Link read_link(std::string_view answer) {
  const auto header = read_as<ifinfomsg>(answer);
  Link link{.index = header.ifi_index, .name = {}, .kind = {}};
  link.up = (header.ifi_flags & IFF_UP) != 0;
  auto read_info = [&](std::uint16_t type, std::string_view value) {
    if (type == IFLA_INFO_KIND) link.kind = value.substr(0, value.find('\0'));
  };
  auto read = [&](std::uint16_t type, std::string_view value) {
    if (type == IFLA_IFNAME) link.name = value.substr(0, value.find('\0'));
    if (type == IFLA_OPERSTATE) link.operational = read_as<std::uint8_t>(value) == operstate_up;
    if (type == IFLA_MTU) link.mtu = read_as<std::uint32_t>(value);
    if (type == IFLA_MASTER) link.master = read_as<int>(value);
    if (type == IFLA_ADDRESS && value.size() == link.mac.size()) {
      std::copy(value.begin(), value.end(), link.mac.begin());
    }
    if (type == IFLA_LINKINFO) for_each_attribute(value, read_info);
  };
  for_each_attribute(answer.substr(std::min(answer.size(), NLMSG_ALIGN(sizeof(header)))), read);
  return link;
}

std::optional<IpAddress> read_address(int family, std::string_view value) {
  IpAddress address{.family = family};
  if (value.size() != address.family_size()) return std::nullopt;
  std::copy(value.begin(), value.end(), address.bytes.begin());
  return address;
}

ifaddrmsg address_header(const LinkAddress& address) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(address.range.address.family);
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.range.bits);
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<std::uint32_t>(address.link);
  return header;
}

}  // namespace

base::Result<NetworkLinks> NetworkLinks::open() {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return base::fail(std::move(socket).error());
  return NetworkLinks(std::move(*socket));
}

base::Result<NetworkLinks> NetworkLinks::open_in(int net_namespace) {
  auto socket = NetlinkSocket::open_in(net_namespace, NETLINK_ROUTE);
  if (!socket) return base::fail(std::move(socket).error());
  return NetworkLinks(std::move(*socket));
}

base::Result<std::vector<Link>> NetworkLinks::list() {
  NetlinkMessage message(RTM_GETLINK, 0);
  message.header(link_header(0));
  auto answers = socket_.dump(std::move(message));
  if (!answers) return base::fail(std::move(answers).error().during("list links"));
  std::vector<Link> links;
  for (const std::string& answer : *answers) links.push_back(read_link(answer));
  return links;
}

base::Result<Link> NetworkLinks::find(const std::string& name) {
  if (auto good = check_name(name); !good) return base::fail(std::move(good).error());
  NetlinkMessage message(RTM_GETLINK, 0);
  message.header(link_header(0)).text(IFLA_IFNAME, name);
  auto answer = socket_.get(std::move(message));
  if (answer) return read_link(*answer);
  if (answer.error().code == base::Code::not_found) {
    return base::fail(base::Code::not_found, "no link '" + name + "'");
  }
  return base::fail(std::move(answer).error().during("find link '" + name + "'"));
}

base::Result<> NetworkLinks::add_bridge(const std::string& name, const MacAddress& mac) {
  if (auto good = check_name(name); !good) return good;
  NetlinkMessage message(RTM_NEWLINK, creating);
  message.header(link_header(0, IFF_UP)).text(IFLA_IFNAME, name).bytes(IFLA_ADDRESS, mac);
  message.nested(IFLA_LINKINFO, [](NetlinkMessage& info) { info.text(IFLA_INFO_KIND, "bridge"); });
  return during(socket_.ask(std::move(message)), "add bridge '" + name + "'");
}

base::Result<> NetworkLinks::add_veth(const VethPair& pair) {
  if (auto good = check_name(pair.name); !good) return good;
  if (auto good = check_name(pair.peer_name); !good) return good;
  NetlinkMessage message(RTM_NEWLINK, creating);
  message.header(link_header(0, IFF_UP)).text(IFLA_IFNAME, pair.name).u32(IFLA_MTU, pair.mtu);
  if (pair.group != 0) message.u32(IFLA_GROUP, pair.group);
  if (pair.master != 0) message.u32(IFLA_MASTER, static_cast<std::uint32_t>(pair.master));
  auto fill_peer = [&](NetlinkMessage& peer) {
    // Not up yet: the kernel opens it before the two are connected, and fails.
    peer.header(link_header(0)).text(IFLA_IFNAME, pair.peer_name);
    peer.u32(IFLA_MTU, pair.mtu);
    if (pair.peer_mac != MacAddress{}) peer.bytes(IFLA_ADDRESS, pair.peer_mac);
    if (pair.peer_net_namespace >= 0) {
      peer.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(pair.peer_net_namespace));
    }
  };
  message.nested(IFLA_LINKINFO, [&](NetlinkMessage& info) {
    info.text(IFLA_INFO_KIND, "veth");
    info.nested(IFLA_INFO_DATA,
                [&](NetlinkMessage& data) { data.nested(VETH_INFO_PEER, fill_peer); });
  });
  return during(socket_.ask(std::move(message)), "add veth '" + pair.name + "'");
}

base::Result<> NetworkLinks::set_up(int link) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.header(link_header(link, IFF_UP));
  return during(socket_.ask(std::move(message)), "set link up");
}

base::Result<> NetworkLinks::wait_until_operational(const std::string& name,
                                                    std::chrono::milliseconds timeout) {
  auto news = NetlinkSocket::open(NETLINK_ROUTE, RTMGRP_LINK);
  if (!news) return base::fail(std::move(news).error());
  const auto deadline = monotonic_time() + timeout;
  while (true) {
    auto link = find(name);
    if (!link) return base::fail(std::move(link).error());
    if (link->operational) return {};
    const auto left = deadline - monotonic_time();
    if (left <= std::chrono::nanoseconds(0)) {
      return base::fail(base::Code::timeout, "link '" + name + "' does not get ready");
    }
    news->wait_for_news(std::chrono::ceil<std::chrono::milliseconds>(left));
  }
}

base::Result<> NetworkLinks::set_mtu(int link, std::uint32_t mtu) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.header(link_header(link)).u32(IFLA_MTU, mtu);
  return during(socket_.ask(std::move(message)), "set mtu " + std::to_string(mtu));
}

base::Result<> NetworkLinks::set_hairpin(int link) {
  ifinfomsg header = link_header(link);
  header.ifi_family = AF_BRIDGE;
  NetlinkMessage message(RTM_SETLINK, 0);
  message.header(header).nested(IFLA_PROTINFO,
                                [](NetlinkMessage& port) { port.u8(IFLA_BRPORT_MODE, 1); });
  return during(socket_.ask(std::move(message)), "set hairpin mode");
}

base::Result<> NetworkLinks::remove(int link) {
  NetlinkMessage message(RTM_DELLINK, 0);
  message.header(link_header(link));
  auto outcome = socket_.ask(std::move(message));
  if (!outcome && outcome.error().code == base::Code::not_found) return {};
  return during(std::move(outcome), "remove link");
}

base::Result<> NetworkLinks::remove_group(std::uint32_t group) {
  NetlinkMessage message(RTM_DELLINK, 0);
  message.header(link_header(0)).u32(IFLA_GROUP, group);
  auto outcome = socket_.ask(std::move(message));
  if (!outcome && outcome.error().code == base::Code::not_found) return {};
  return during(std::move(outcome), "remove links of group " + std::to_string(group));
}

base::Result<std::vector<LinkAddress>> NetworkLinks::addresses() {
  NetlinkMessage message(RTM_GETADDR, 0);
  message.header(ifaddrmsg{});
  auto answers = socket_.dump(std::move(message));
  if (!answers) return base::fail(std::move(answers).error().during("list addresses"));
  std::vector<LinkAddress> addresses;
  for (const std::string& answer : *answers) {
    const auto header = read_as<ifaddrmsg>(answer);
    std::optional<IpAddress> found;
    auto read = [&](std::uint16_t type, std::string_view value) {
      // A point-to-point link's own address is the local one; elsewhere both are the same.
      if (type == IFA_LOCAL || (type == IFA_ADDRESS && !found)) {
        found = read_address(header.ifa_family, value);
      }
    };
    const std::string_view text = answer;
    for_each_attribute(text.substr(std::min(text.size(), NLMSG_ALIGN(sizeof(header)))), read);
    if (!found) continue;
    addresses.push_back({static_cast<int>(header.ifa_index), {*found, header.ifa_prefixlen}});
  }
  return addresses;
}

base::Result<> NetworkLinks::add_address(const LinkAddress& address) {
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  message.header(address_header(address))
      .bytes(IFA_LOCAL, address.range.address.value())
      .bytes(IFA_ADDRESS, address.range.address.value());
  return during(socket_.ask(std::move(message)), "add address " + address.range.text());
}

base::Result<> NetworkLinks::remove_address(const LinkAddress& address) {
  NetlinkMessage message(RTM_DELADDR, 0);
  message.header(address_header(address)).bytes(IFA_LOCAL, address.range.address.value());
  return during(socket_.ask(std::move(message)), "remove address " + address.range.text());
}

base::Result<std::vector<Route>> NetworkLinks::routes() {
  NetlinkMessage message(RTM_GETROUTE, 0);
  message.header(rtmsg{});
  auto answers = socket_.dump(std::move(message));
  if (!answers) return base::fail(std::move(answers).error().during("list routes"));
  std::vector<Route> routes;
  for (const std::string& answer : *answers) {
    const auto header = read_as<rtmsg>(answer);
    if (header.rtm_table != RT_TABLE_MAIN || header.rtm_type != RTN_UNICAST) continue;
    Route route;
    auto read = [&](std::uint16_t type, std::string_view value) {
      if (type == RTA_GATEWAY) route.gateway = read_address(header.rtm_family, value);
      if (type == RTA_OIF) route.link = read_as<int>(value);
      if (type != RTA_DST) return;
      if (const auto address = read_address(header.rtm_family, value)) {
        route.target = IpRange{*address, header.rtm_dst_len};
      }
    };
    const std::string_view text = answer;
    for_each_attribute(text.substr(std::min(text.size(), NLMSG_ALIGN(sizeof(header)))), read);
    routes.push_back(std::move(route));
  }
  return routes;
}

base::Result<> NetworkLinks::set_route(const Route& route) {
  if (!route.gateway && !route.target) {
    return base::fail(base::Code::invalid, "a default route needs a gateway");
  }
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(route.gateway ? route.gateway->family
                                                              : route.target->address.family);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_type = RTN_UNICAST;
  if (route.target) header.rtm_dst_len = static_cast<std::uint8_t>(route.target->bits);
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  message.header(header);
  if (route.target) message.bytes(RTA_DST, route.target->first().value());
  if (route.gateway) message.bytes(RTA_GATEWAY, route.gateway->value());
  if (route.link != 0) message.u32(RTA_OIF, static_cast<std::uint32_t>(route.link));
  return during(socket_.ask(std::move(message)),
                "set route to " + (route.target ? route.target->text() : "default"));
}

}  // namespace koi::linux
