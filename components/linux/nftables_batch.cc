#include "linux/nftables_batch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>

#include <algorithm>

namespace koi::linux {

namespace {

// Keeps a message's list attribute within its 16-bit length.
constexpr std::size_t elements_per_message_max = 256;

std::uint16_t message_type(std::uint16_t type) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

nfgenmsg family_header(std::uint8_t family, std::uint16_t resource) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  return header;
}

std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) / 4 * 4, '\0');
  return bytes;
}

void put_data(NetlinkMessage& message, std::uint16_t type, std::string_view bytes) {
  message.nested(type, [&](NetlinkMessage& data) { data.bytes(NFTA_DATA_VALUE, bytes); });
}

// What nft prints as a comment: type 0, length, text, zero.
std::string as_comment(std::string_view text) {
  std::string bytes(1, '\0');
  bytes += static_cast<char>(text.size() + 1);
  bytes += text;
  bytes += '\0';
  return bytes;
}

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string nft_bytes(const IpAddress& address) { return std::string(as_text(address.value())); }

std::string nft_port(std::uint16_t port) {
  const std::uint16_t value = htons(port);
  return padded(std::string(reinterpret_cast<const char*>(&value), sizeof(value)));
}

std::string nft_protocol(std::uint8_t protocol) {
  return padded(std::string(1, static_cast<char>(protocol)));
}

std::string nft_interface(std::string_view name) {
  std::string bytes(name.substr(0, IFNAMSIZ - 1));
  bytes.resize(IFNAMSIZ, '\0');
  return bytes;
}

NftRule& NftRule::add(std::string name, Fill fill) {
  expressions_.emplace_back(std::move(name), std::move(fill));
  return *this;
}

NftRule& NftRule::load_meta(std::uint32_t key, std::uint32_t target) {
  return add("meta", [=](NetlinkMessage& data) {
    data.be32(NFTA_META_KEY, key).be32(NFTA_META_DREG, target);
  });
}

NftRule& NftRule::load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes,
                               std::uint32_t target) {
  return add("payload", [=](NetlinkMessage& data) {
    data.be32(NFTA_PAYLOAD_DREG, target).be32(NFTA_PAYLOAD_BASE, base);
    data.be32(NFTA_PAYLOAD_OFFSET, offset).be32(NFTA_PAYLOAD_LEN, bytes);
  });
}

NftRule& NftRule::load_conntrack(std::uint32_t key, std::uint32_t target) {
  return add("ct",
             [=](NetlinkMessage& data) { data.be32(NFTA_CT_KEY, key).be32(NFTA_CT_DREG, target); });
}

NftRule& NftRule::load_destination_kind(std::uint32_t target) {
  return add("fib", [=](NetlinkMessage& data) {
    data.be32(NFTA_FIB_DREG, target).be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    data.be32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  });
}

NftRule& NftRule::mask(std::string_view mask, std::uint32_t target) {
  return add("bitwise", [mask = std::string(mask), target](NetlinkMessage& data) {
    data.be32(NFTA_BITWISE_SREG, target).be32(NFTA_BITWISE_DREG, target);
    data.be32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
    put_data(data, NFTA_BITWISE_MASK, mask);
    put_data(data, NFTA_BITWISE_XOR, std::string(mask.size(), '\0'));
  });
}

NftRule& NftRule::compare(std::uint32_t operation, std::string_view bytes, std::uint32_t source) {
  return add("cmp", [=, bytes = std::string(bytes)](NetlinkMessage& data) {
    data.be32(NFTA_CMP_SREG, source).be32(NFTA_CMP_OP, operation);
    put_data(data, NFTA_CMP_DATA, bytes);
  });
}

NftRule& NftRule::equal(std::string_view bytes, std::uint32_t source) {
  return compare(NFT_CMP_EQ, bytes, source);
}

NftRule& NftRule::not_equal(std::string_view bytes, std::uint32_t source) {
  return compare(NFT_CMP_NEQ, bytes, source);
}

NftRule& NftRule::lookup(const std::string& set, std::uint32_t source,
                         std::optional<std::uint32_t> target) {
  return add("lookup", [=](NetlinkMessage& data) {
    data.text(NFTA_LOOKUP_SET, set).be32(NFTA_LOOKUP_SREG, source);
    if (target) data.be32(NFTA_LOOKUP_DREG, *target);
  });
}

NftRule& NftRule::destination_nat(NftFamily family, std::uint32_t address, std::uint32_t port) {
  return add("nat", [=](NetlinkMessage& data) {
    data.be32(NFTA_NAT_TYPE, NFT_NAT_DNAT)
        .be32(NFTA_NAT_FAMILY, static_cast<std::uint32_t>(family));
    data.be32(NFTA_NAT_REG_ADDR_MIN, address).be32(NFTA_NAT_REG_PROTO_MIN, port);
  });
}

NftRule& NftRule::masquerade() {
  return add("masq", [](NetlinkMessage&) {});
}

NftRule& NftRule::verdict(std::int32_t code) {
  return add("immediate", [=](NetlinkMessage& data) {
    data.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data.nested(NFTA_IMMEDIATE_DATA, [=](NetlinkMessage& value) {
      value.nested(NFTA_DATA_VERDICT, [=](NetlinkMessage& inner) {
        inner.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
      });
    });
  });
}

NftRule& NftRule::accept() { return verdict(NF_ACCEPT); }
NftRule& NftRule::drop() { return verdict(NF_DROP); }

NftRule& NftRule::address_in(std::uint32_t offset, const IpRange& range, bool inside) {
  const auto size = static_cast<std::uint32_t>(range.address.family_size());
  load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, size);
  mask(nft_bytes(range.mask()));
  return compare(inside ? NFT_CMP_EQ : NFT_CMP_NEQ, nft_bytes(range.first()), nft_register_first);
}

NftRule& NftRule::source_in(const IpRange& range, bool inside) {
  return address_in(range.address.family == AF_INET ? 12 : 8, range, inside);
}

NftRule& NftRule::destination_in(const IpRange& range, bool inside) {
  return address_in(range.address.family == AF_INET ? 16 : 24, range, inside);
}

NftRule& NftRule::input_link(std::string_view name, bool same) {
  load_meta(NFT_META_IIFNAME);
  return compare(same ? NFT_CMP_EQ : NFT_CMP_NEQ, nft_interface(name), nft_register_first);
}

NftRule& NftRule::output_link(std::string_view name, bool same) {
  load_meta(NFT_META_OIFNAME);
  return compare(same ? NFT_CMP_EQ : NFT_CMP_NEQ, nft_interface(name), nft_register_first);
}

NetlinkMessage& NftBatch::begin(std::uint16_t type, std::uint16_t flags) {
  NetlinkMessage& message = messages_.emplace_back(message_type(type), flags);
  message.header(family_header(static_cast<std::uint8_t>(table_.family), 0));
  return message;
}

NftBatch& NftBatch::add_table() {
  begin(NFT_MSG_NEWTABLE, NLM_F_CREATE).text(NFTA_TABLE_NAME, table_.name);
  return *this;
}

NftBatch& NftBatch::remove_table() {
  begin(NFT_MSG_DELTABLE, 0).text(NFTA_TABLE_NAME, table_.name);
  return *this;
}

NftBatch& NftBatch::add_chain(const std::string& name, const std::optional<NftHook>& hook) {
  NetlinkMessage& message = begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  message.text(NFTA_CHAIN_TABLE, table_.name).text(NFTA_CHAIN_NAME, name);
  if (!hook) return *this;
  message.nested(NFTA_CHAIN_HOOK, [&](NetlinkMessage& data) {
    data.be32(NFTA_HOOK_HOOKNUM, hook->point);
    data.be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(hook->priority));
  });
  message.text(NFTA_CHAIN_TYPE, hook->type);
  message.be32(NFTA_CHAIN_POLICY, hook->drop_by_default ? NF_DROP : NF_ACCEPT);
  return *this;
}

NftBatch& NftBatch::add_set(const NftSet& set) {
  const bool is_map = set.value_bytes > 0;
  NetlinkMessage& message = begin(NFT_MSG_NEWSET, NLM_F_CREATE);
  message.text(NFTA_SET_TABLE, table_.name).text(NFTA_SET_NAME, set.name);
  message.be32(NFTA_SET_FLAGS, is_map ? NFT_SET_MAP : 0);
  message.be32(NFTA_SET_KEY_TYPE, set.key_type).be32(NFTA_SET_KEY_LEN, set.key_bytes);
  if (is_map) {
    message.be32(NFTA_SET_DATA_TYPE, set.value_type).be32(NFTA_SET_DATA_LEN, set.value_bytes);
  }
  message.be32(NFTA_SET_ID, ++sets_);
  return *this;
}

NetlinkMessage& NftBatch::begin_rule(const std::string& chain, const NftRule& rule,
                                     std::uint16_t flags) {
  NetlinkMessage& message = begin(NFT_MSG_NEWRULE, flags);
  message.text(NFTA_RULE_TABLE, table_.name).text(NFTA_RULE_CHAIN, chain);
  message.nested(NFTA_RULE_EXPRESSIONS, [&](NetlinkMessage& list) {
    for (const auto& expression : rule.expressions_) {
      list.nested(NFTA_LIST_ELEM, [&](NetlinkMessage& element) {
        element.text(NFTA_EXPR_NAME, expression.first);
        element.nested(NFTA_EXPR_DATA, expression.second);
      });
    }
  });
  return message;
}

NftBatch& NftBatch::add_rule(const std::string& chain, const NftRule& rule) {
  begin_rule(chain, rule, NLM_F_CREATE | NLM_F_APPEND);
  return *this;
}

NftBatch& NftBatch::insert_rule(const std::string& chain, const NftRule& rule,
                                std::string_view mark) {
  begin_rule(chain, rule, NLM_F_CREATE).bytes(NFTA_RULE_USERDATA, as_comment(mark));
  return *this;
}

NftBatch& NftBatch::remove_rule(const std::string& chain, std::uint64_t handle) {
  NetlinkMessage& message = begin(NFT_MSG_DELRULE, 0);
  message.text(NFTA_RULE_TABLE, table_.name).text(NFTA_RULE_CHAIN, chain);
  const std::uint64_t value = htobe64(handle);
  message.bytes(NFTA_RULE_HANDLE, {reinterpret_cast<const char*>(&value), sizeof(value)});
  return *this;
}

NftBatch& NftBatch::elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                             std::span<const NftElement> elements) {
  while (!elements.empty()) {
    const auto part = elements.first(std::min(elements.size(), elements_per_message_max));
    elements = elements.subspan(part.size());
    NetlinkMessage& message = begin(type, flags);
    message.text(NFTA_SET_ELEM_LIST_TABLE, table_.name).text(NFTA_SET_ELEM_LIST_SET, set);
    message.nested(NFTA_SET_ELEM_LIST_ELEMENTS, [&](NetlinkMessage& list) {
      for (const NftElement& item : part) {
        list.nested(NFTA_LIST_ELEM, [&](NetlinkMessage& element) {
          put_data(element, NFTA_SET_ELEM_KEY, item.key);
          if (!item.value.empty()) put_data(element, NFTA_SET_ELEM_DATA, item.value);
        });
      }
    });
  }
  return *this;
}

NftBatch& NftBatch::add_elements(const std::string& set, std::span<const NftElement> items) {
  return elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, items);
}

NftBatch& NftBatch::remove_elements(const std::string& set, std::span<const NftElement> items) {
  return elements(NFT_MSG_DELSETELEM, 0, set, items);
}

base::Result<> NftBatch::commit(NetlinkSocket& socket) {
  std::vector<NetlinkMessage> batch;
  batch.emplace_back(NFNL_MSG_BATCH_BEGIN, 0)
      .header(family_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  for (NetlinkMessage& message : messages_) batch.push_back(std::move(message));
  batch.emplace_back(NFNL_MSG_BATCH_END, 0).header(family_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  messages_.clear();
  auto outcome = socket.send_batch(std::move(batch));
  if (outcome) return outcome;
  return base::fail(std::move(outcome).error().during("change nft table '" + table_.name + "'"));
}

base::Result<std::vector<std::uint64_t>> find_nft_rules(NetlinkSocket& socket,
                                                        const NftTable& table,
                                                        const std::string& chain,
                                                        std::string_view mark) {
  NetlinkMessage message(message_type(NFT_MSG_GETRULE), 0);
  message.header(family_header(static_cast<std::uint8_t>(table.family), 0));
  message.text(NFTA_RULE_TABLE, table.name).text(NFTA_RULE_CHAIN, chain);
  auto answers = socket.dump(std::move(message));
  if (!answers) return base::fail(std::move(answers).error().during("list nft rules"));
  std::vector<std::uint64_t> handles;
  for (const std::string& answer : *answers) {
    std::uint64_t handle = 0;
    bool marked = false;
    bool same_chain = false;
    auto read = [&](std::uint16_t type, std::string_view value) {
      if (type == NFTA_RULE_HANDLE) handle = be64toh(read_as<std::uint64_t>(value));
      if (type == NFTA_RULE_USERDATA) marked = value == as_comment(mark);
      if (type == NFTA_RULE_CHAIN) same_chain = value.substr(0, value.find('\0')) == chain;
    };
    const std::string_view text = answer;
    for_each_attribute(text.substr(std::min(text.size(), sizeof(nfgenmsg))), read);
    if (marked && same_chain) handles.push_back(handle);
  }
  return handles;
}

base::Result<> remove_nft_table(NetlinkSocket& socket, const NftTable& table) {
  return NftBatch(table).add_table().remove_table().commit(socket);
}

}  // namespace koi::linux
