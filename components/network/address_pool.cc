#include "network/address_pool.h"

#include <sys/socket.h>

namespace koi::network {

base::Result<AddressPool> AddressPool::make(const linux::IpRange& range) {
  if (range.address.family != AF_INET) {
    return base::fail(base::Code::unsupported,
                      "pod range '" + range.text() + "' is not IPv4; give the node an IPv4 range");
  }
  // Network, gateway, one pod, broadcast.
  if (range.bits > 30) {
    return base::fail(base::Code::invalid, "pod range '" + range.text() + "' holds no pod");
  }
  const std::uint32_t network = range.first().number();
  const std::uint32_t broadcast = network | static_cast<std::uint32_t>(~0ULL >> 32 >> range.bits);
  return AddressPool({range.first(), range.bits}, network + 2, broadcast - 1);
}

linux::IpAddress AddressPool::gateway() const { return linux::IpAddress::from_number(first_ - 1); }

base::Result<linux::IpAddress> AddressPool::take(const std::string& owner) {
  if (const auto known = find(owner)) return *known;
  if (taken_.size() > last_ - first_) {
    return base::fail(base::Code::unavailable,
                      "all addresses of '" + range_.text() + "' are in use");
  }
  while (taken_.contains(next_)) next_ = next_ == last_ ? first_ : next_ + 1;
  const linux::IpAddress address = linux::IpAddress::from_number(next_);
  taken_.insert(next_);
  owners_.emplace(owner, address);
  next_ = next_ == last_ ? first_ : next_ + 1;
  return address;
}

bool AddressPool::adopt(const std::string& owner, const linux::IpAddress& address) {
  if (const auto known = find(owner)) return *known == address;
  if (address.family != AF_INET) return false;
  const std::uint32_t number = address.number();
  if (number < first_ || number > last_ || !taken_.insert(number).second) return false;
  owners_.emplace(owner, address);
  next_ = number == last_ ? first_ : number + 1;
  return true;
}

void AddressPool::release(const std::string& owner) {
  const auto found = owners_.find(owner);
  if (found == owners_.end()) return;
  taken_.erase(found->second.number());
  owners_.erase(found);
}

std::optional<linux::IpAddress> AddressPool::find(const std::string& owner) const {
  const auto found = owners_.find(owner);
  if (found == owners_.end()) return std::nullopt;
  return found->second;
}

}  // namespace koi::network
