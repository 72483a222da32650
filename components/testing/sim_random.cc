#include "testing/sim_random.h"

namespace koi::testing {

// SplitMix64.
std::uint64_t SimRandom::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

void SimRandom::fill(std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    std::uint64_t word = next();
    for (int part = 0; part < 8 && i < bytes.size(); ++part, ++i) {
      bytes[i] = static_cast<std::uint8_t>(word);
      word >>= 8;
    }
  }
}

}  // namespace koi::testing
