#include "linux/netlink_message.h"

#include <arpa/inet.h>
#include <linux/netlink.h>

#include "base/check.h"

namespace koi::linux {

namespace {

constexpr std::size_t attribute_bytes_max = 65'535;

std::size_t aligned(std::size_t size) { return (size + 3) / 4 * 4; }

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr header_value{};
  header_value.nlmsg_type = type;
  header_value.nlmsg_flags = flags | NLM_F_REQUEST;
  raw(&header_value, sizeof(header_value));
}

NetlinkMessage& NetlinkMessage::raw(const void* data, std::size_t size) {
  buffer_.append(static_cast<const char*>(data), size);
  buffer_.resize(aligned(buffer_.size()), '\0');
  return *this;
}

NetlinkMessage& NetlinkMessage::bytes(std::uint16_t type, std::string_view value) {
  const std::size_t begin = open(type);
  buffer_.append(value);
  close(begin);
  return *this;
}

NetlinkMessage& NetlinkMessage::bytes(std::uint16_t type, std::span<const std::uint8_t> value) {
  return bytes(type, {reinterpret_cast<const char*>(value.data()), value.size()});
}

NetlinkMessage& NetlinkMessage::text(std::uint16_t type, std::string_view value) {
  return bytes(type, std::string(value) + '\0');
}

NetlinkMessage& NetlinkMessage::u8(std::uint16_t type, std::uint8_t value) {
  return bytes(type, {reinterpret_cast<const char*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::u16(std::uint16_t type, std::uint16_t value) {
  return bytes(type, {reinterpret_cast<const char*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::u32(std::uint16_t type, std::uint32_t value) {
  return bytes(type, {reinterpret_cast<const char*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::be32(std::uint16_t type, std::uint32_t value) {
  return u32(type, htonl(value));
}

const std::string& NetlinkMessage::finish(std::uint32_t sequence, std::uint16_t flags) {
  auto header_value = read_as<nlmsghdr>(buffer_);
  header_value.nlmsg_len = static_cast<std::uint32_t>(buffer_.size());
  header_value.nlmsg_seq = sequence;
  header_value.nlmsg_flags |= flags;
  std::memcpy(buffer_.data(), &header_value, sizeof(header_value));
  return buffer_;
}

std::size_t NetlinkMessage::open(std::uint16_t type) {
  const std::size_t begin = buffer_.size();
  const nlattr attribute{.nla_len = 0, .nla_type = type};
  buffer_.append(reinterpret_cast<const char*>(&attribute), sizeof(attribute));
  return begin;
}

void NetlinkMessage::close(std::size_t begin) {
  const std::size_t size = buffer_.size() - begin;
  CHECK_THAT(size <= attribute_bytes_max, "a netlink attribute must fit its 16-bit length");
  const auto length = static_cast<std::uint16_t>(size);
  std::memcpy(buffer_.data() + begin, &length, sizeof(length));
  buffer_.resize(aligned(buffer_.size()), '\0');
}

void for_each_attribute(std::string_view attributes,
                        const std::function<void(std::uint16_t, std::string_view)>& visit) {
  constexpr std::uint16_t type_mask = 0x3fff;
  while (attributes.size() >= sizeof(nlattr)) {
    const auto attribute = read_as<nlattr>(attributes);
    if (attribute.nla_len < sizeof(nlattr) || attribute.nla_len > attributes.size()) return;
    visit(attribute.nla_type & type_mask,
          attributes.substr(sizeof(nlattr), attribute.nla_len - sizeof(nlattr)));
    const std::size_t step = aligned(attribute.nla_len);
    if (step >= attributes.size()) return;
    attributes.remove_prefix(step);
  }
}

}  // namespace koi::linux
