#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::linux {

// An IPv4 or IPv6 address, in network byte order.
struct IpAddress {
  int family = 0;  // AF_INET or AF_INET6
  std::array<std::uint8_t, 16> bytes{};

  // The 4 or 16 bytes that count.
  std::span<const std::uint8_t> value() const { return {bytes.data(), family_size()}; }
  std::size_t family_size() const;
  std::string text() const;
  // IPv4 only: as a number in host byte order.
  std::uint32_t number() const;
  static IpAddress from_number(std::uint32_t number);

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

base::Result<IpAddress> parse_ip_address(std::string_view text);

// A range of addresses: an address and how many of its leading bits are fixed.
struct IpRange {
  IpAddress address;
  unsigned bits = 0;

  // With the free bits cleared.
  IpAddress first() const;
  bool contains(const IpAddress& other) const;
  // The fixed bits as a mask.
  IpAddress mask() const;
  std::string text() const;

  friend bool operator==(const IpRange&, const IpRange&) = default;
};

// "10.42.0.0/16".
base::Result<IpRange> parse_ip_range(std::string_view text);

}  // namespace koi::linux
