#include "agent/quantity.h"

#include "api/quantity.h"

namespace koi::agent {

std::optional<std::int64_t> parse_milli(std::string_view text) {
  const auto quantity = api::Quantity::parse(text);
  return quantity ? std::optional(quantity->milli_value()) : std::nullopt;
}

std::optional<std::int64_t> parse_whole(std::string_view text) {
  const auto quantity = api::Quantity::parse(text);
  return quantity ? std::optional(quantity->value()) : std::nullopt;
}

std::string format_kibibytes(std::uint64_t bytes) { return std::to_string(bytes / 1024) + "Ki"; }

}  // namespace koi::agent
