#include "node/node_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string_view>

namespace koi::node {

namespace {

std::string address_text(const sockaddr_in& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return text.data();
}

// Connecting a datagram socket asks the kernel for a route and sends no packet.
std::optional<std::string> default_route_source() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(9);
  inet_pton(AF_INET, "198.51.100.1", &far.sin_addr);
  sockaddr_in near{};
  socklen_t size = sizeof(near);
  const bool known = ::connect(fd, reinterpret_cast<const sockaddr*>(&far), sizeof(far)) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&near), &size) == 0;
  ::close(fd);
  if (!known || near.sin_addr.s_addr == 0) return std::nullopt;
  return address_text(near);
}

std::optional<std::string> first_interface_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return std::nullopt;
  std::optional<std::string> found;
  for (const ifaddrs* at = list; at != nullptr && !found; at = at->ifa_next) {
    const bool usable = at->ifa_addr != nullptr && at->ifa_addr->sa_family == AF_INET &&
                        (at->ifa_flags & IFF_UP) != 0 && (at->ifa_flags & IFF_LOOPBACK) == 0;
    // The pods' own bridge is no address of the node.
    if (usable && !std::string_view(at->ifa_name).starts_with("koi")) {
      found = address_text(*reinterpret_cast<const sockaddr_in*>(at->ifa_addr));
    }
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

base::Result<std::string> find_node_address() {
  if (auto address = default_route_source()) return *address;
  if (auto address = first_interface_address()) return *address;
  return base::fail(base::Code::unavailable,
                    "this machine has no network address; give one to an interface, or name one "
                    "with --node-ip");
}

}  // namespace koi::node
