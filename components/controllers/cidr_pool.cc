#include "controllers/cidr_pool.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace koi::controllers {

namespace {

constexpr int index_bits_max = 16;

struct ParsedCidr {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> address{};
  int bits = 0;
};

base::Result<ParsedCidr> parse_cidr(std::string_view text) {
  const auto bad = [text] {
    return base::fail(base::Code::invalid, "'" + std::string(text) + "' is not an address range");
  };
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return bad();
  ParsedCidr parsed;
  const std::string host(text.substr(0, slash));
  parsed.is_v6 = host.find(':') != std::string::npos;
  if (inet_pton(parsed.is_v6 ? AF_INET6 : AF_INET, host.c_str(), parsed.address.data()) != 1) {
    return bad();
  }
  const auto digits = text.substr(slash + 1);
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, parsed.bits);
  const int most = parsed.is_v6 ? 128 : 32;
  if (error != std::errc{} || at != end || parsed.bits < 0 || parsed.bits > most) return bad();
  return parsed;
}

bool bit_at(const std::array<std::uint8_t, 16>& address, int position) {
  const auto byte = address[static_cast<std::size_t>(position / 8)];
  return ((byte >> (7 - position % 8)) & 1) != 0;
}

void set_bit(std::array<std::uint8_t, 16>& address, int position, bool value) {
  auto& byte = address[static_cast<std::size_t>(position / 8)];
  const auto mask = static_cast<std::uint8_t>(1U << (7 - position % 8));
  byte = static_cast<std::uint8_t>(value ? byte | mask : byte & ~mask);
}

}  // namespace

base::Result<CidrPool> CidrPool::parse(std::string_view cidr, int piece_bits) {
  const auto parsed = parse_cidr(cidr);
  if (!parsed) return base::fail(parsed.error());
  if (piece_bits < parsed->bits || piece_bits > (parsed->is_v6 ? 128 : 32)) {
    return base::fail(base::Code::invalid, "'" + std::string(cidr) + "' is smaller than a /" +
                                               std::to_string(piece_bits));
  }
  CidrPool pool;
  pool.is_v6_ = parsed->is_v6;
  pool.base_ = parsed->address;
  pool.pool_bits_ = parsed->bits;
  pool.piece_bits_ = piece_bits;
  for (int position = parsed->bits; position < 128; ++position) {
    set_bit(pool.base_, position, false);
  }
  pool.taken_.resize(std::size_t{1} << std::min(piece_bits - parsed->bits, index_bits_max));
  return pool;
}

std::string CidrPool::piece(std::size_t index) const {
  Address address = base_;
  for (int position = piece_bits_ - 1; position >= pool_bits_ && index != 0; --position) {
    set_bit(address, position, (index & 1) != 0);
    index >>= 1;
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v6_ ? AF_INET6 : AF_INET, address.data(), text.data(), text.size());
  return std::string(text.data()) + "/" + std::to_string(piece_bits_);
}

std::size_t CidrPool::index_of(std::string_view cidr) const {
  const auto parsed = parse_cidr(cidr);
  if (!parsed || parsed->is_v6 != is_v6_) return taken_.size();
  for (int position = 0; position < pool_bits_; ++position) {
    if (bit_at(parsed->address, position) != bit_at(base_, position)) return taken_.size();
  }
  std::size_t index = 0;
  for (int position = pool_bits_; position < piece_bits_; ++position) {
    index = index * 2 + (bit_at(parsed->address, position) ? 1 : 0);
    if (index >= taken_.size()) return taken_.size();
  }
  return index;
}

base::Result<std::string> CidrPool::take() {
  for (std::size_t tried = 0; tried < taken_.size(); ++tried) {
    const auto index = (next_ + tried) % taken_.size();
    if (taken_[index]) continue;
    taken_[index] = true;
    next_ = index + 1;
    return piece(index);
  }
  return base::fail(base::Code::unavailable, "no address range is left for nodes");
}

void CidrPool::occupy(std::string_view cidr) {
  const auto index = index_of(cidr);
  if (index < taken_.size()) taken_[index] = true;
}

void CidrPool::release(std::string_view cidr) {
  const auto index = index_of(cidr);
  if (index < taken_.size()) taken_[index] = false;
}

}  // namespace koi::controllers
