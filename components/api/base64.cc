#include "api/base64.h"

#include <array>
#include <cstdint>

namespace koi::api {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}

constexpr auto values = make_values();

bool is_line_break(char c) { return c == '\r' || c == '\n'; }

// Calls `sink` with each six bits; says where the text stops being base64.
template <class Sink>
Base64Check walk(std::string_view text, Sink sink) {
  Base64Check out;
  std::size_t digits = 0;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (is_line_break(text[at])) {
      out.has_line_breaks = true;
      continue;
    }
    const auto value = values[static_cast<unsigned char>(text[at])];
    if (value < 0) break;
    sink(static_cast<std::uint32_t>(value));
    ++digits;
  }
  std::size_t padding = 0;
  const std::size_t first_padding = at;
  for (; at < text.size(); ++at) {
    if (is_line_break(text[at])) {
      out.has_line_breaks = true;
    } else if (text[at] == '=' && digits % 4 >= 2 && padding < 4 - digits % 4) {
      ++padding;
    } else {
      break;
    }
  }
  const bool whole = digits % 4 == 0 || (digits % 4 >= 2 && padding == 4 - digits % 4);
  if (at < text.size() || !whole) {
    out.valid = false;
    out.offset = at < text.size() ? at : (padding > 0 ? first_padding : text.size());
  }
  return out;
}

}  // namespace

Base64Check check_base64(std::string_view text) {
  return walk(text, [](std::uint32_t) {});
}

std::string decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int held = 0;
  walk(text, [&](std::uint32_t six) {
    bits = (bits << 6U) | six;
    held += 6;
    if (held < 8) return;
    held -= 8;
    out += static_cast<char>((bits >> static_cast<unsigned>(held)) & 0xffU);
  });
  return out;
}

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8U) | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= count ? alphabet[(group >> (18U - 6U * j)) & 63U] : '=';
    }
  }
  return out;
}

}  // namespace koi::api
