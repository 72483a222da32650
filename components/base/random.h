#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace koi::base {

// The only source of randomness. The kernel's in the server, seeded in tests.
class Random {
 public:
  virtual ~Random() = default;

  // Fills with bytes fit for keys and tokens (in the real implementation). Any thread.
  virtual void fill(std::span<std::uint8_t> bytes) = 0;

  std::uint64_t next_u64();
  // Uniform in [0, bound). bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // `length` characters of "bcdfghjklmnpqrstvwxz2456789": what Kubernetes appends to generateName.
  std::string name_suffix(std::size_t length);
  // RFC 9562 version 4.
  std::string uuid();
};

}  // namespace koi::base
