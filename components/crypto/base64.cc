#include "crypto/base64.h"

#include <array>
#include <cstdint>

namespace koi::crypto {

namespace {

constexpr char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, const char* alphabet, bool pad) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      if (j <= count) {
        text += alphabet[group >> (18 - 6 * j) & 0x3f];
      } else if (pad) {
        text += '=';
      }
    }
  }
  return text;
}

base::Result<std::string> decode(std::string_view text, const char* alphabet, bool padded) {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 64; ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  const auto broken = [] { return base::fail(base::Code::invalid, "the text is not base64"); };
  if (padded) {
    if (text.size() % 4 != 0) return broken();
    if (text.ends_with("==")) {
      text.remove_suffix(2);
    } else if (text.ends_with('=')) {
      text.remove_suffix(1);
    }
  }
  if (text.size() % 4 == 1) return broken();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0) return broken();
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xff);
    }
  }
  // Bits that carry nothing must be zero: one text per value.
  if ((bits & ((1U << held) - 1)) != 0) return broken();
  return bytes;
}

}  // namespace

std::string base64_encode(std::string_view bytes) { return encode(bytes, standard, true); }
base::Result<std::string> base64_decode(std::string_view text) {
  return decode(text, standard, true);
}
std::string base64url_encode(std::string_view bytes) { return encode(bytes, url_safe, false); }
base::Result<std::string> base64url_decode(std::string_view text) {
  return decode(text, url_safe, false);
}

}  // namespace koi::crypto
