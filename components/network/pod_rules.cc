#include "network/pod_rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cstring>
#include <optional>

#include "linux/nftables_batch.h"

namespace koi::network {

namespace {

const linux::NftTable table{.family = linux::NftFamily::ipv4, .name = "koi"};

// The kernel's own priorities of hooks.
constexpr std::int32_t priority_raw = -300;
constexpr std::int32_t priority_destination_nat = -100;
constexpr std::int32_t priority_source_nat = 100;

constexpr std::uint32_t target_type =
    linux::nft_concat(linux::nft_type_ipv4_address, linux::nft_type_port);

std::string host_u32(std::uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

linux::IpRange loopback() { return {linux::IpAddress::from_number(0x7f000000), 8}; }

std::optional<std::uint8_t> protocol_number(const std::string& protocol) {
  if (protocol == "TCP") return IPPROTO_TCP;
  if (protocol == "UDP") return IPPROTO_UDP;
  if (protocol == "SCTP") return IPPROTO_SCTP;
  return std::nullopt;
}

// The elements of both maps.
struct Elements {
  std::vector<linux::NftElement> of_any;
  std::vector<linux::NftElement> of_one;

  void add(const linux::IpAddress& pod, const HostPort& port) {
    const auto protocol = protocol_number(port.protocol);
    if (!protocol) return;
    const std::string key = linux::nft_protocol(*protocol) + linux::nft_port(port.host_port);
    const std::string value = linux::nft_bytes(pod) + linux::nft_port(port.container_port);
    if (is_every_address(port.host_ip)) {
      of_any.push_back({key, value});
    } else if (const auto address = linux::parse_ip_address(port.host_ip)) {
      of_one.push_back({linux::nft_bytes(*address) + key, value});
    }
  }
};

constexpr std::uint32_t first_register = linux::nft_register_first;

linux::NftRule to_host_port() {
  linux::NftRule rule;
  rule.load_destination_kind().equal(host_u32(RTN_LOCAL));
  rule.load_meta(NFT_META_L4PROTO, first_register);
  rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, first_register + 1);
  rule.lookup("host_ports", first_register, first_register);
  rule.destination_nat(linux::NftFamily::ipv4, first_register, first_register + 1);
  return rule;
}

linux::NftRule to_host_port_of_address() {
  linux::NftRule rule;
  rule.load_destination_kind().equal(host_u32(RTN_LOCAL));
  rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, first_register);
  rule.load_meta(NFT_META_L4PROTO, first_register + 1);
  rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, first_register + 2);
  rule.lookup("host_ports_of", first_register, first_register);
  rule.destination_nat(linux::NftFamily::ipv4, first_register, first_register + 1);
  return rule;
}

void add_host_port_chains(linux::NftBatch& batch) {
  using linux::nft_concat;
  batch.add_set({.name = "host_ports",
                 .key_type = nft_concat(linux::nft_type_protocol, linux::nft_type_port),
                 .key_bytes = 8,
                 .value_type = target_type,
                 .value_bytes = 8});
  batch.add_set(
      {.name = "host_ports_of",
       .key_type = nft_concat(nft_concat(linux::nft_type_ipv4_address, linux::nft_type_protocol),
                              linux::nft_type_port),
       .key_bytes = 12,
       .value_type = target_type,
       .value_bytes = 8});
  for (const auto& [chain, point] : {std::pair{"host_ports_in", NF_INET_PRE_ROUTING},
                                     std::pair{"host_ports_out", NF_INET_LOCAL_OUT}}) {
    batch.add_chain(chain, linux::NftHook{.type = "nat",
                                          .point = static_cast<std::uint32_t>(point),
                                          .priority = priority_destination_nat});
    batch.add_rule(chain, to_host_port_of_address());
    batch.add_rule(chain, to_host_port());
  }
}

void add_leaving_chain(linux::NftBatch& batch, const PodRulesConfig& config) {
  batch.add_chain("leaving", linux::NftHook{.type = "nat",
                                            .point = NF_INET_POST_ROUTING,
                                            .priority = priority_source_nat});
  linux::NftRule outside;
  outside.source_in(config.pod_range).destination_in(config.cluster_range, false);
  batch.add_rule("leaving", outside.output_link(config.bridge, false).masquerade());
  // The answer must pass through here to be translated back, not go straight over the bridge.
  linux::NftRule back;
  back.output_link(config.bridge).source_in(config.pod_range);
  back.load_conntrack(NFT_CT_STATUS).mask(host_u32(IPS_DST_NAT)).not_equal(host_u32(0));
  batch.add_rule("leaving", back.masquerade());
  linux::NftRule local;
  batch.add_rule("leaving", local.output_link(config.bridge).source_in(loopback()).masquerade());
}

void add_filter_chain(linux::NftBatch& batch, const PodRulesConfig& config) {
  // With route_localnet a pod could reach what listens on the node's loopback only.
  batch.add_chain(
      "no_loopback",
      linux::NftHook{.type = "filter", .point = NF_INET_PRE_ROUTING, .priority = priority_raw});
  linux::NftRule intruder;
  batch.add_rule("no_loopback",
                 intruder.input_link(config.bridge).destination_in(loopback()).drop());
}

base::Result<> change(linux::NetlinkSocket& socket, const linux::IpAddress& pod,
                      const std::vector<HostPort>& ports, bool add) {
  Elements elements;
  for (const HostPort& port : ports) elements.add(pod, port);
  if (elements.of_any.empty() && elements.of_one.empty()) return {};
  linux::NftBatch batch(table);
  if (add) {
    batch.add_elements("host_ports", elements.of_any);
    batch.add_elements("host_ports_of", elements.of_one);
  } else {
    batch.remove_elements("host_ports", elements.of_any);
    batch.remove_elements("host_ports_of", elements.of_one);
  }
  return batch.commit(socket);
}

}  // namespace

base::Result<> install_pod_rules(linux::NetlinkSocket& socket, const PodRulesConfig& config,
                                 const PodTable& pods) {
  linux::NftBatch batch(table);
  batch.add_table().remove_table().add_table();
  add_host_port_chains(batch);
  add_leaving_chain(batch, config);
  add_filter_chain(batch, config);
  Elements elements;
  for (const auto& [uid, address] : pods.pool().owners()) {
    for (const HostPort& port : pods.host_ports(uid)) elements.add(address, port);
  }
  batch.add_elements("host_ports", elements.of_any);
  batch.add_elements("host_ports_of", elements.of_one);
  return batch.commit(socket);
}

base::Result<> add_host_ports(linux::NetlinkSocket& socket, const linux::IpAddress& pod,
                              const std::vector<HostPort>& ports) {
  return change(socket, pod, ports, true);
}

base::Result<> remove_host_ports(linux::NetlinkSocket& socket, const linux::IpAddress& pod,
                                 const std::vector<HostPort>& ports) {
  return change(socket, pod, ports, false);
}

base::Result<> remove_pod_rules(linux::NetlinkSocket& socket) {
  return linux::remove_nft_table(socket, table);
}

base::Result<> check_host_ports(const std::vector<HostPort>& ports) {
  for (const HostPort& port : ports) {
    if (!protocol_number(port.protocol)) {
      return base::fail(base::Code::invalid, "host port has protocol '" + port.protocol +
                                                 "', which is none of TCP, UDP, SCTP");
    }
    if (port.host_port == 0 || port.container_port == 0) {
      return base::fail(base::Code::invalid, "host port 0 is no port");
    }
    if (is_every_address(port.host_ip)) continue;
    const auto address = linux::parse_ip_address(port.host_ip);
    if (!address) return base::fail(address.error().code, "host IP " + address.error().message);
    if (address->family != AF_INET) {
      return base::fail(base::Code::unsupported,
                        "host IP '" + port.host_ip +
                            "' is IPv6, and pods have IPv4 addresses only; name an IPv4 address");
    }
  }
  return {};
}

}  // namespace koi::network
