#include "crypto/base64.h"

#include <array>
#include <cstdint>

namespace koi::crypto {

namespace {

constexpr std::string_view standard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_safe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> inverse(std::string_view alphabet) {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}

constexpr auto standard_inverse = inverse(standard);
constexpr auto url_safe_inverse = inverse(url_safe);

std::string encode(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += alphabet[bits >> count & 63];
    }
  }
  if (count > 0) out += alphabet[bits << (6 - count) & 63];
  return out;
}

// Decodes unpadded text; false when a character is foreign or the tail is impossible.
bool decode(std::string_view text, const std::array<std::int8_t, 256>& table, std::string& out) {
  if (text.size() % 4 == 1) return false;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = table[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 255);
    }
  }
  return (bits & ((1U << count) - 1)) == 0;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out = encode(bytes, standard);
  while (out.size() % 4 != 0) out += '=';
  return out;
}

base::Result<std::string> base64_decode(std::string_view text) {
  std::string joined;
  if (text.find_first_of("\r\n") != std::string_view::npos) {
    for (const char c : text) {
      if (c != '\r' && c != '\n') joined += c;
    }
    text = joined;
  }
  std::string out;
  const bool whole = text.size() % 4 == 0;
  if (text.ends_with("==")) {
    text.remove_suffix(2);
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  if (!whole || !decode(text, standard_inverse, out)) {
    return base::fail(base::Code::invalid, "the text is not base64");
  }
  return out;
}

std::string base64url_encode(std::string_view bytes) { return encode(bytes, url_safe); }

base::Result<std::string> base64url_decode(std::string_view text) {
  std::string out;
  if (!decode(text, url_safe_inverse, out)) {
    return base::fail(base::Code::invalid, "the text is not unpadded base64url");
  }
  return out;
}

std::string hex_encode(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

base::Result<std::string> hex_decode(std::string_view text) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = value(text[i]);
    const int low = value(text[i + 1]);
    if (high < 0 || low < 0) break;
    out += static_cast<char>(high * 16 + low);
  }
  if (out.size() * 2 != text.size()) {
    return base::fail(base::Code::invalid, "the text is not hex");
  }
  return out;
}

}  // namespace koi::crypto
