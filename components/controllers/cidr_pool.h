#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace koi::controllers {

// The equal ranges that a larger one is cut into: "10.42.0.0/16" into /24. IPv4 and IPv6; at most
// 65,536 ranges, of a larger pool the first ones.
class CidrPool {
 public:
  // Fails with invalid where the text is no range or smaller than one piece.
  static base::Result<CidrPool> parse(std::string_view cidr, int piece_bits);

  // The next free range; fails with unavailable when all are taken.
  base::Result<std::string> take();
  // Marks a range as taken. Ranges outside the pool are none of its business.
  void occupy(std::string_view cidr);
  void release(std::string_view cidr);

  std::size_t size() const { return taken_.size(); }

 private:
  using Address = std::array<std::uint8_t, 16>;
  std::string piece(std::size_t index) const;
  // The index of the piece that holds the range's address; size() where none does.
  std::size_t index_of(std::string_view cidr) const;

  bool is_v6_ = false;
  Address base_{};
  int pool_bits_ = 0;
  int piece_bits_ = 0;
  std::vector<bool> taken_;
  std::size_t next_ = 0;
};

}  // namespace koi::controllers
