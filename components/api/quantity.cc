#include "api/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace koi::api {

namespace {

__extension__ using Int128 = __int128;

constexpr Int128 nanos_per_unit = 1'000'000'000;
constexpr Int128 nanos_per_milli = 1'000'000;
// The largest amount that is kept: sums of two never overflow 128 bits.
constexpr Int128 nanos_max = Int128{std::numeric_limits<std::int64_t>::max()} * nanos_per_unit;
constexpr std::size_t text_bytes_max = 256;

struct Suffix {
  std::string_view text;
  int exponent;
};

constexpr std::array<Suffix, 10> decimal_suffixes{{{"n", -9},
                                                   {"u", -6},
                                                   {"m", -3},
                                                   {"", 0},
                                                   {"k", 3},
                                                   {"M", 6},
                                                   {"G", 9},
                                                   {"T", 12},
                                                   {"P", 15},
                                                   {"E", 18}}};
constexpr std::array<Suffix, 6> binary_suffixes{
    {{"Ki", 10}, {"Mi", 20}, {"Gi", 30}, {"Ti", 40}, {"Pi", 50}, {"Ei", 60}}};

std::unexpected<base::Error> malformed(std::string_view text) {
  return base::fail(base::Code::invalid,
                    "quantities must match the regular expression "
                    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$', not '" +
                        std::string(text.substr(0, text_bytes_max)) + "'");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Notation {
  Quantity::Format format;
  // A power of ten, or of two for binary_si.
  int exponent;
};

std::optional<Notation> read_suffix(std::string_view text) {
  for (const Suffix& suffix : decimal_suffixes) {
    if (text == suffix.text) return Notation{Quantity::Format::decimal_si, suffix.exponent};
  }
  for (const Suffix& suffix : binary_suffixes) {
    if (text == suffix.text) return Notation{Quantity::Format::binary_si, suffix.exponent};
  }
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
  text.remove_prefix(1);
  if (text[0] == '+') text.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Notation{Quantity::Format::decimal_exponent, exponent};
}

// The digits as nanos: `digits` has no point, which stands `fraction` places from the right.
Int128 to_nanos(std::string_view digits, int fraction, const Notation& notation) {
  const bool is_binary = notation.format == Quantity::Format::binary_si;
  int scale = (is_binary ? 0 : std::clamp(notation.exponent, -100'000, 100'000)) - fraction + 9;
  Int128 amount = 0;
  bool rounds_up = false;
  const auto kept = static_cast<std::ptrdiff_t>(digits.size()) + std::min(scale, 0);
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(digits.size()); ++i) {
    const char digit = digits[static_cast<std::size_t>(i)];
    if (i >= kept) {
      rounds_up = rounds_up || digit != '0';
      continue;
    }
    amount = amount * 10 + (digit - '0');
    if (amount > nanos_max) return nanos_max;
  }
  for (; scale > 0 && amount != 0; --scale) {
    amount *= 10;
    if (amount > nanos_max) return nanos_max;
  }
  if (is_binary) {
    for (int shift = 0; shift < notation.exponent; ++shift) {
      amount *= 2;
      if (amount > nanos_max) return nanos_max;
    }
  }
  return amount + (rounds_up ? 1 : 0);
}

std::string digits_of(Int128 amount) {
  if (amount == 0) return "0";
  std::string text;
  const bool is_negative = amount < 0;
  if (is_negative) amount = -amount;
  for (; amount != 0; amount /= 10) text += static_cast<char>('0' + static_cast<int>(amount % 10));
  if (is_negative) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

std::int64_t rounded(Int128 amount, Int128 unit) {
  Int128 whole = amount / unit;
  if (amount % unit != 0) whole += amount > 0 ? 1 : -1;
  constexpr Int128 max = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(whole, -max, max));
}

}  // namespace

Quantity Quantity::from_value(std::int64_t value, Format format) {
  return {Amount{value} * nanos_per_unit, format};
}

Quantity Quantity::from_milli(std::int64_t milli, Format format) {
  return {Amount{milli} * nanos_per_milli, format};
}

base::Result<Quantity> Quantity::parse(std::string_view text) {
  if (text.empty() || text.size() > text_bytes_max) return malformed(text);
  std::size_t at = 0;
  const bool is_negative = text[0] == '-';
  if (text[0] == '-' || text[0] == '+') ++at;
  std::string digits;
  int fraction = 0;
  while (at < text.size() && is_digit(text[at])) digits += text[at++];
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && is_digit(text[at]); ++fraction) digits += text[at++];
  }
  if (digits.empty()) return malformed(text);
  const auto notation = read_suffix(text.substr(at));
  if (!notation) return malformed(text);
  const Amount amount = to_nanos(digits, fraction, *notation);
  Format format = notation->format;
  if (format == Format::binary_si && amount > 0 && amount < nanos_per_unit) {
    format = Format::decimal_si;
  }
  return Quantity(is_negative ? -amount : amount, format);
}

std::string Quantity::str() const {
  if (nanos_ == 0) return "0";
  constexpr Amount kibi = 1024 * nanos_per_unit;
  const bool is_small = nanos_ > -kibi && nanos_ < kibi;
  if (format_ != Format::binary_si || is_small || nanos_ % nanos_per_unit != 0) return decimal();
  Amount whole = nanos_ / nanos_per_unit;
  std::size_t steps = 0;
  for (; steps < binary_suffixes.size() && whole % 1024 == 0; ++steps) whole /= 1024;
  std::string text = digits_of(whole);
  if (steps > 0) text += binary_suffixes.at(steps - 1).text;
  return text;
}

std::string Quantity::decimal() const {
  Amount amount = nanos_;
  int exponent = -9;
  for (; amount % 1000 == 0; exponent += 3) amount /= 1000;
  std::string text = digits_of(amount);
  if (format_ == Format::decimal_exponent || exponent > 18) {
    if (exponent != 0) text += "e" + std::to_string(exponent);
    return text;
  }
  for (const Suffix& suffix : decimal_suffixes) {
    if (suffix.exponent == exponent) text += suffix.text;
  }
  return text;
}

std::int64_t Quantity::value() const { return rounded(nanos_, nanos_per_unit); }

std::int64_t Quantity::milli_value() const { return rounded(nanos_, nanos_per_milli); }

Quantity& Quantity::operator+=(const Quantity& other) {
  if (is_zero()) format_ = other.format_;
  nanos_ = std::clamp(nanos_ + other.nanos_, -nanos_max, nanos_max);
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  if (is_zero()) format_ = other.format_;
  nanos_ = std::clamp(nanos_ - other.nanos_, -nanos_max, nanos_max);
  return *this;
}

base::Result<std::string> canonical_quantity(std::string_view text) {
  const auto quantity = Quantity::parse(text);
  if (!quantity) return base::fail(quantity.error());
  return quantity->str();
}

}  // namespace koi::api
