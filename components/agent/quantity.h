#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace koi::agent {

// Reads a Kubernetes quantity ("250m", "1.5", "64Mi", "2e3") in thousandths, rounded up and held
// at the largest number that fits. Empty where the text is no quantity.
std::optional<std::int64_t> parse_milli(std::string_view text);

// The same in whole units, rounded up: bytes, pods, cores.
std::optional<std::int64_t> parse_whole(std::string_view text);

// The canonical text of a byte count that is a multiple of a KiB: "65536" -> "64Ki".
std::string format_kibibytes(std::uint64_t bytes);

}  // namespace koi::agent
