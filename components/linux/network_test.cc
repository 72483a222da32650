#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/ip_address.h"
#include "linux/net_namespace.h"
#include "linux/network_links.h"
#include "linux/nftables_batch.h"

namespace koi::linux {

namespace {

// A namespace of its own, or none with the reason printed.
base::Result<UniqueFd> test_namespace() {
  auto made = make_net_namespace();
  if (!made) MESSAGE("skipped: " << made.error().message);
  return made;
}

IpRange range(std::string_view text) {
  auto parsed = parse_ip_range(text);
  REQUIRE(parsed);
  return *parsed;
}

IpAddress address(std::string_view text) {
  auto parsed = parse_ip_address(text);
  REQUIRE(parsed);
  return *parsed;
}

const MacAddress mac{0x0a, 0x58, 10, 0, 0, 1};

}  // namespace

TEST_CASE("addresses and ranges are read and written") {
  CHECK(address("10.42.0.1").text() == "10.42.0.1");
  CHECK(address("fd00::1").text() == "fd00::1");
  CHECK(address("10.42.0.1").number() == 0x0a2a0001);
  CHECK(IpAddress::from_number(0x0a2a0001) == address("10.42.0.1"));
  CHECK(range("10.42.3.7/16").first() == address("10.42.0.0"));
  CHECK(range("10.42.0.0/16").contains(address("10.42.255.255")));
  CHECK_FALSE(range("10.42.0.0/16").contains(address("10.43.0.0")));
  CHECK_FALSE(range("10.42.0.0/16").contains(address("fd00::1")));
  CHECK(range("10.42.0.0/20").mask() == address("255.255.240.0"));
  CHECK(range("fd00::/8").contains(address("fd12::1")));
  CHECK(range("0.0.0.0/0").contains(address("8.8.8.8")));
  for (const std::string_view wrong :
       {"", "10.42.0.0", "10.42.0.0/33", "10.42.0.0/", "10.42.0.0/x", "10.42.0/16", "/16",
        "10.42.0.0/-1", "10.42.0.0/16 ", "fd00::/129"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_ip_range(wrong));
  }
}

TEST_CASE("links, addresses and routes are made and seen") {
  auto outer = test_namespace();
  auto inner = test_namespace();
  if (!outer || !inner) return;
  auto links = NetworkLinks::open_in(outer->get());
  REQUIRE(links);
  REQUIRE(links->add_bridge("br0", mac));
  const auto again = links->add_bridge("br0", mac);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == base::Code::already_exists);
  CHECK(again.error().message.starts_with("add bridge 'br0': kernel: File exists"));
  const auto bridge = links->find("br0");
  REQUIRE(bridge);
  CHECK(bridge->kind == "bridge");
  CHECK(bridge->up);
  CHECK(bridge->mac == mac);
  REQUIRE(links->add_address({bridge->index, range("10.0.0.1/24")}));
  REQUIRE(links->add_address({bridge->index, range("10.0.0.1/24")}));

  const VethPair pair{.name = "port0",
                      .mtu = 1400,
                      .master = bridge->index,
                      .peer_name = "eth0",
                      .peer_net_namespace = inner->get(),
                      .peer_mac = {0x0a, 0x58, 10, 0, 0, 2}};
  const auto paired = links->add_veth(pair);
  REQUIRE_MESSAGE(paired, paired.error().message);
  const auto port = links->find("port0");
  REQUIRE(port);
  CHECK(port->master == bridge->index);
  CHECK(port->mtu == 1400);
  CHECK(port->up);
  REQUIRE(links->set_hairpin(port->index));

  auto inside = NetworkLinks::open_in(inner->get());
  REQUIRE(inside);
  const auto eth0 = inside->find("eth0");
  REQUIRE(eth0);
  CHECK(eth0->mac == pair.peer_mac);
  CHECK(eth0->mtu == 1400);
  REQUIRE(inside->set_up(eth0->index));
  CHECK(inside->find("eth0")->up);
  const auto waited = in_net_namespace(outer->get(), [&] {
    return links->wait_until_operational("port0", std::chrono::milliseconds(5'000));
  });
  CHECK(waited);
  CHECK(links->find("port0")->operational);
  REQUIRE(inside->set_up(inside->find("lo")->index));
  CHECK(inside->find("lo")->up);
  REQUIRE(inside->add_address({eth0->index, range("10.0.0.2/24")}));
  REQUIRE(inside->set_route({.target = {}, .gateway = address("10.0.0.1"), .link = eth0->index}));
  REQUIRE(inside->set_route({.target = {}, .gateway = address("10.0.0.1"), .link = eth0->index}));
  bool found = false;
  for (const Route& route : inside->routes().value()) {
    found = found || (!route.target && route.gateway == address("10.0.0.1"));
  }
  CHECK(found);
  REQUIRE(inside->set_mtu(eth0->index, 1300));
  CHECK(inside->find("eth0")->mtu == 1300);

  REQUIRE(links->remove(port->index));
  REQUIRE(links->remove(port->index));
  CHECK_FALSE(inside->find("eth0"));
  const auto gone = links->find("port0");
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == base::Code::not_found);
}

TEST_CASE("the links of a group go together") {
  auto space = test_namespace();
  if (!space) return;
  auto links = NetworkLinks::open_in(space->get());
  REQUIRE(links);
  REQUIRE(links->add_bridge("br0", mac));
  for (const char* name : {"one", "two"}) {
    REQUIRE(links->add_veth(
        {.name = name, .mtu = 1500, .peer_name = std::string(name) + "-peer", .group = 77}));
  }
  REQUIRE(links->remove_group(77));
  REQUIRE(links->remove_group(77));
  CHECK_FALSE(links->find("one"));
  CHECK_FALSE(links->find("two-peer"));
  CHECK(links->find("br0"));
  CHECK_FALSE(links->add_bridge("a-name-that-is-too-long", mac));
}

TEST_CASE("sysctls belong to their namespace") {
  auto space = test_namespace();
  if (!space) return;
  const auto outcome = in_net_namespace(space->get(), []() -> base::Result<> {
    if (auto written = write_sysctl("net/ipv4/ip_forward", "1"); !written) return written;
    const auto value = read_sysctl("net/ipv4/ip_forward");
    CHECK(value == "1");
    return write_sysctl("net/ipv4/nothing", "1");
  });
  REQUIRE_FALSE(outcome);
}

TEST_CASE("tables, maps, rules and elements change in one step or not at all") {
  auto space = test_namespace();
  if (!space) return;
  auto socket = NetlinkSocket::open_in(space->get(), NETLINK_NETFILTER);
  REQUIRE(socket);
  const NftTable table{.family = NftFamily::ipv4, .name = "test"};
  const NftSet ports{.name = "ports",
                     .key_type = nft_concat(nft_type_protocol, nft_type_port),
                     .key_bytes = 8,
                     .value_type = nft_concat(nft_type_ipv4_address, nft_type_port),
                     .value_bytes = 8};
  NftRule redirect;
  redirect.load_destination_kind().equal(std::string("\x02\0\0\0", 4));
  redirect.load_meta(NFT_META_L4PROTO, 8).load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 9);
  redirect.lookup("ports", 8, 8).destination_nat(NftFamily::ipv4, 8, 9);
  auto fill = [&](NftBatch& batch) {
    batch.add_table().remove_table().add_table().add_set(ports);
    batch.add_chain("pre", NftHook{.type = "nat", .point = NF_INET_PRE_ROUTING, .priority = -100});
    batch.add_chain("jump").add_rule("pre", redirect);
  };
  NftBatch first(table);
  fill(first);
  const auto made = first.commit(*socket);
  if (!made && made.error().code == base::Code::unsupported) {
    MESSAGE("skipped: " << made.error().message);
    return;
  }
  REQUIRE_MESSAGE(made, made.error().message);
  NftBatch second(table);
  fill(second);
  REQUIRE(second.commit(*socket));

  std::vector<NftElement> elements;
  for (std::uint16_t port = 1; port <= 2'000; ++port) {
    elements.push_back(
        {nft_protocol(6) + nft_port(port), nft_bytes(address("10.0.0.2")) + nft_port(80)});
  }
  REQUIRE(NftBatch(table).add_elements("ports", elements).commit(*socket));
  REQUIRE(NftBatch(table).remove_elements("ports", elements).commit(*socket));
  CHECK_FALSE(NftBatch(table).remove_elements("ports", elements).commit(*socket));

  // The second half fails, so the first must not have happened.
  const NftElement one = elements.front();
  NftBatch half(table);
  half.add_elements("ports", {&one, 1}).add_elements("nothing", {&one, 1});
  const auto failed = half.commit(*socket);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == base::Code::not_found);
  CHECK_FALSE(NftBatch(table).remove_elements("ports", {&one, 1}).commit(*socket));

  REQUIRE(remove_nft_table(*socket, table));
  REQUIRE(remove_nft_table(*socket, table));
  CHECK_FALSE(NftBatch(table).add_elements("ports", {&one, 1}).commit(*socket));
}

}  // namespace koi::linux
