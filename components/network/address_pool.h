#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "linux/ip_address.h"

namespace koi::network {

// The addresses of one node's range, and who has them: a value. The first is the network's own, the
// second the gateway's, the last the broadcast's; the others are handed out in a circle, so that an
// address rests as long as possible before its next owner.
class AddressPool {
 public:
  // Fails with invalid unless the range is IPv4 and holds at least one pod.
  static base::Result<AddressPool> make(const linux::IpRange& range);

  const linux::IpRange& range() const { return range_; }
  linux::IpAddress gateway() const;

  // The owner's address: the one it has, or a new one. Fails with unavailable when none is left.
  base::Result<linux::IpAddress> take(const std::string& owner);
  // Gives the owner this very address, as it was before a restart. False when it is not in the
  // range or someone else's.
  bool adopt(const std::string& owner, const linux::IpAddress& address);
  void release(const std::string& owner);

  std::optional<linux::IpAddress> find(const std::string& owner) const;
  const std::map<std::string, linux::IpAddress>& owners() const { return owners_; }

 private:
  AddressPool(const linux::IpRange& range, std::uint32_t first, std::uint32_t last)
      : range_(range), first_(first), last_(last), next_(first) {}

  linux::IpRange range_;
  std::uint32_t first_;  // to hand out
  std::uint32_t last_;   // to hand out
  std::uint32_t next_;
  std::map<std::string, linux::IpAddress> owners_;
  std::set<std::uint32_t> taken_;
};

}  // namespace koi::network
