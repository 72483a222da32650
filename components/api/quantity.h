#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::api {

// A resource.Quantity: an exact amount in steps of 10^-9 and the notation it was written in.
// Amounts finer than that are rounded away from zero; amounts beyond 2^63-1 times 10^9 are capped.
class Quantity {
 public:
  enum class Format { decimal_si, decimal_exponent, binary_si };

  constexpr Quantity() = default;
  static Quantity from_value(std::int64_t value, Format format = Format::decimal_si);
  static Quantity from_milli(std::int64_t milli, Format format = Format::decimal_si);
  // Reads "100m", "1.5Gi", "12e6", "-3k". Refuses everything else.
  static base::Result<Quantity> parse(std::string_view text);

  // The canonical form: no fraction, the largest suffix that keeps the number whole.
  std::string str() const;
  // The amount in whole units and in thousandths, rounded away from zero and capped at 64 bits.
  std::int64_t value() const;
  std::int64_t milli_value() const;

  bool is_zero() const { return nanos_ == 0; }
  bool is_negative() const { return nanos_ < 0; }

  // Sums keep the notation of the left side, or of the right one if the left is zero.
  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  friend Quantity operator+(Quantity left, const Quantity& right) { return left += right; }
  friend Quantity operator-(Quantity left, const Quantity& right) { return left -= right; }
  friend bool operator==(const Quantity& left, const Quantity& right) {
    return left.nanos_ == right.nanos_;
  }
  friend std::strong_ordering operator<=>(const Quantity& left, const Quantity& right) {
    return left.nanos_ <=> right.nanos_;
  }

 private:
  __extension__ using Amount = __int128;

  Quantity(Amount nanos, Format format) : nanos_(nanos), format_(format) {}
  std::string decimal() const;

  Amount nanos_ = 0;
  Format format_ = Format::decimal_si;
};

// What a client that sent `text` reads back: "0.5" becomes "500m", "1024Mi" becomes "1Gi".
base::Result<std::string> canonical_quantity(std::string_view text);

}  // namespace koi::api
