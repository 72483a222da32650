#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace koi::linux {

// One netlink message under construction: header, family header, attributes.
class NetlinkMessage {
 public:
  // `flags` are NLM_F_*; NLM_F_REQUEST is always set.
  NetlinkMessage(std::uint16_t type, std::uint16_t flags);

  // The fixed header that follows nlmsghdr (ifinfomsg, nfgenmsg, ...).
  template <class Header>
  NetlinkMessage& header(const Header& value) {
    static_assert(std::is_trivially_copyable_v<Header>);
    return raw(&value, sizeof(value));
  }

  NetlinkMessage& bytes(std::uint16_t type, std::string_view value);
  NetlinkMessage& bytes(std::uint16_t type, std::span<const std::uint8_t> value);
  // With the terminating zero that the kernel wants of names.
  NetlinkMessage& text(std::uint16_t type, std::string_view value);
  // In host byte order.
  NetlinkMessage& u8(std::uint16_t type, std::uint8_t value);
  NetlinkMessage& u16(std::uint16_t type, std::uint16_t value);
  NetlinkMessage& u32(std::uint16_t type, std::uint32_t value);
  // In network byte order, as nf_tables wants all its numbers.
  NetlinkMessage& be32(std::uint16_t type, std::uint32_t value);

  // Puts what `fill` adds into an attribute of its own. The second form sets NLA_F_NESTED.
  template <class Fill>
  NetlinkMessage& group(std::uint16_t type, Fill fill) {
    const std::size_t begin = open(type);
    fill(*this);
    close(begin);
    return *this;
  }
  template <class Fill>
  NetlinkMessage& nested(std::uint16_t type, Fill fill) {
    constexpr std::uint16_t nested_flag = 1 << 15;
    return group(type | nested_flag, fill);
  }

  NetlinkMessage& raw(const void* data, std::size_t size);

  // The whole message, with its length filled in, the sequence number and more flags.
  const std::string& finish(std::uint32_t sequence, std::uint16_t flags = 0);

 private:
  std::size_t open(std::uint16_t type);
  void close(std::size_t begin);

  std::string buffer_;
};

// Calls `visit` with type (without flags) and content of every attribute in `attributes`, which
// comes from the kernel. Stops at the first that does not fit.
void for_each_attribute(std::string_view attributes,
                        const std::function<void(std::uint16_t, std::string_view)>& visit);

// A fixed header or number at the beginning of `bytes`; zeros where they are too few.
template <class T>
T read_as(std::string_view bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  std::memcpy(&value, bytes.data(), bytes.size() < sizeof(T) ? bytes.size() : sizeof(T));
  return value;
}

}  // namespace koi::linux
