#include "base/random.h"

#include <array>
#include <cstring>

#include "base/check.h"

namespace koi::base {

std::uint64_t Random::next_u64() {
  std::array<std::uint8_t, 8> bytes{};
  fill(bytes);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
  CHECK_THAT(bound > 0, "a random bound must be positive");
  // Values from the incomplete last round would favour small results.
  const std::uint64_t unbiased_max = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = next_u64();
  while (value >= unbiased_max) value = next_u64();
  return value % bound;
}

std::string Random::name_suffix(std::size_t length) {
  static constexpr char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
  std::string suffix(length, '\0');
  for (char& c : suffix) c = alphabet[below(sizeof(alphabet) - 1)];
  return suffix;
}

std::string Random::uuid() {
  std::array<std::uint8_t, 16> bytes{};
  fill(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  static constexpr char hex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex[bytes[i] >> 4];
    text += hex[bytes[i] & 0x0f];
  }
  return text;
}

}  // namespace koi::base
