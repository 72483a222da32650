#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "linux/ip_address.h"
#include "linux/netlink_socket.h"

// nf_tables without nft: rules as lists of the kernel's own expressions, changed in batches that
// take effect all at once or not at all.
namespace koi::linux {

enum class NftFamily : std::uint8_t { inet = 1, ipv4 = 2, bridge = 7, ipv6 = 10 };

struct NftTable {
  NftFamily family = NftFamily::ipv4;
  std::string name;
};

// Where a chain sees packets. One without a hook is only jumped to.
struct NftHook {
  std::string type = "filter";  // "filter", "nat" or "route"
  std::uint32_t point = 0;      // NF_INET_*
  std::int32_t priority = 0;
  bool drop_by_default = false;
};

// Types of keys and values of sets; they only tell `nft list` how to print. Concatenations are made
// by nft_concat(), each part padded to 4 bytes.
inline constexpr std::uint32_t nft_type_ipv4_address = 7;
inline constexpr std::uint32_t nft_type_protocol = 12;
inline constexpr std::uint32_t nft_type_port = 13;
constexpr std::uint32_t nft_concat(std::uint32_t first, std::uint32_t second) {
  return first << 6 | second;
}

struct NftSet {
  std::string name;
  std::uint32_t key_type = 0;
  std::uint32_t key_bytes = 0;
  // A map has these as well.
  std::uint32_t value_type = 0;
  std::uint32_t value_bytes = 0;
};

struct NftElement {
  std::string key;
  std::string value;  // empty in a set that is no map
};

// A byte string that keys, values and comparisons are made of, padded to whole registers.
std::string nft_bytes(const IpAddress& address);
std::string nft_port(std::uint16_t port);
std::string nft_protocol(std::uint8_t protocol);
std::string nft_interface(std::string_view name);

// Registers hold 16 bytes each as 1..4, or 4 bytes each as 8..23; 1 and 8 begin at the same byte.
inline constexpr std::uint32_t nft_register_first = 8;

// One rule: expressions in order. Each loads into or compares with registers, or decides.
class NftRule {
 public:
  NftRule& load_meta(std::uint32_t key, std::uint32_t target = nft_register_first);  // NFT_META_*
  NftRule& load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes,
                        std::uint32_t target = nft_register_first);  // NFT_PAYLOAD_*
  NftRule& load_conntrack(std::uint32_t key, std::uint32_t target = nft_register_first);
  // The kind of the packet's destination address, as RTN_*.
  NftRule& load_destination_kind(std::uint32_t target = nft_register_first);
  NftRule& mask(std::string_view mask, std::uint32_t target = nft_register_first);
  NftRule& equal(std::string_view bytes, std::uint32_t source = nft_register_first);
  NftRule& not_equal(std::string_view bytes, std::uint32_t source = nft_register_first);
  // Goes on only when the set has the key; with `target`, loads the map's value there.
  NftRule& lookup(const std::string& set, std::uint32_t source = nft_register_first,
                  std::optional<std::uint32_t> target = std::nullopt);
  NftRule& destination_nat(NftFamily family, std::uint32_t address, std::uint32_t port);
  NftRule& masquerade();
  NftRule& accept();
  NftRule& drop();

  // Common matches, made of the above.
  NftRule& source_in(const IpRange& range, bool inside = true);
  NftRule& destination_in(const IpRange& range, bool inside = true);
  NftRule& input_link(std::string_view name, bool same = true);
  NftRule& output_link(std::string_view name, bool same = true);

 private:
  friend class NftBatch;
  using Fill = std::function<void(NetlinkMessage&)>;

  NftRule& add(std::string name, Fill fill);
  NftRule& compare(std::uint32_t operation, std::string_view bytes, std::uint32_t source);
  NftRule& address_in(std::uint32_t offset, const IpRange& range, bool inside);
  NftRule& verdict(std::int32_t code);

  std::vector<std::pair<std::string, Fill>> expressions_;
};

// Changes to one table. commit() makes all or none.
class NftBatch {
 public:
  explicit NftBatch(NftTable table) : table_(std::move(table)) {}

  // add_table() then remove_table() then add_table() makes it anew whether it was there or not.
  NftBatch& add_table();
  NftBatch& remove_table();
  NftBatch& add_chain(const std::string& name, const std::optional<NftHook>& hook = std::nullopt);
  NftBatch& add_set(const NftSet& set);
  NftBatch& add_rule(const std::string& chain, const NftRule& rule);
  // Before all others of a chain that may be someone else's. `mark` is kept with the rule, by which
  // find_nft_rules() finds it again.
  NftBatch& insert_rule(const std::string& chain, const NftRule& rule, std::string_view mark);
  NftBatch& remove_rule(const std::string& chain, std::uint64_t handle);
  NftBatch& add_elements(const std::string& set, std::span<const NftElement> elements);
  NftBatch& remove_elements(const std::string& set, std::span<const NftElement> elements);

  // Once. Fails with the kernel's first objection.
  base::Result<> commit(NetlinkSocket& socket);

 private:
  NetlinkMessage& begin(std::uint16_t type, std::uint16_t flags);
  NetlinkMessage& begin_rule(const std::string& chain, const NftRule& rule, std::uint16_t flags);
  NftBatch& elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                     std::span<const NftElement> elements);

  NftTable table_;
  std::uint32_t sets_ = 0;
  std::vector<NetlinkMessage> messages_;
};

// Handles of a chain's rules that carry `mark`. not_found when there is no such chain.
base::Result<std::vector<std::uint64_t>> find_nft_rules(NetlinkSocket& socket,
                                                        const NftTable& table,
                                                        const std::string& chain,
                                                        std::string_view mark);

// Removes a table; succeeds when there is none.
base::Result<> remove_nft_table(NetlinkSocket& socket, const NftTable& table);

}  // namespace koi::linux
