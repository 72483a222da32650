#include "linux/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

#include "base/check.h"

namespace koi::linux {

std::size_t IpAddress::family_size() const {
  if (family == AF_INET) return 4;
  return family == AF_INET6 ? 16 : 0;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  const char* text = ::inet_ntop(family, bytes.data(), buffer, sizeof(buffer));
  return text != nullptr ? text : "";
}

std::uint32_t IpAddress::number() const {
  CHECK_THAT(family == AF_INET, "only IPv4 addresses are numbers");
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

IpAddress IpAddress::from_number(std::uint32_t number) {
  IpAddress address{.family = AF_INET};
  for (std::size_t i = 0; i < 4; ++i) {
    address.bytes[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  }
  return address;
}

base::Result<IpAddress> parse_ip_address(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, terminated.c_str(), address.bytes.data()) == 1) {
      address.family = family;
      return address;
    }
  }
  return base::fail(base::Code::invalid, "'" + terminated + "' is no IP address");
}

IpAddress IpRange::mask() const {
  IpAddress mask{.family = address.family};
  for (unsigned i = 0; i < bits; ++i) {
    mask.bytes[i / 8] = static_cast<std::uint8_t>(mask.bytes[i / 8] | 0x80U >> (i % 8));
  }
  return mask;
}

IpAddress IpRange::first() const {
  IpAddress first = address;
  const IpAddress fixed = mask();
  for (std::size_t i = 0; i < first.bytes.size(); ++i) {
    first.bytes[i] = static_cast<std::uint8_t>(first.bytes[i] & fixed.bytes[i]);
  }
  return first;
}

bool IpRange::contains(const IpAddress& other) const {
  return other.family == address.family && IpRange{other, bits}.first() == first();
}

std::string IpRange::text() const { return address.text() + "/" + std::to_string(bits); }

base::Result<IpRange> parse_ip_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string quoted = "'" + std::string(text) + "'";
  if (slash == std::string_view::npos) {
    return base::fail(base::Code::invalid, quoted + " is no address range");
  }
  auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return base::fail(std::move(address).error());
  IpRange range{.address = *address};
  const std::string_view length = text.substr(slash + 1);
  const auto [end, error] =
      std::from_chars(length.data(), length.data() + length.size(), range.bits);
  if (error != std::errc{} || end != length.data() + length.size() ||
      range.bits > 8 * address->family_size()) {
    return base::fail(base::Code::invalid, quoted + " is no address range");
  }
  return range;
}

}  // namespace koi::linux
