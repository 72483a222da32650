#pragma once

#include "base/random.h"

namespace koi::testing {

// The same bytes for the same seed.
class SimRandom final : public base::Random {
 public:
  explicit SimRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

}  // namespace koi::testing
