#pragma once

#include <string>

#include "base/result.h"
#include "linux/netlink_socket.h"

namespace koi::network {

// Other programs' firewalls: Docker and ufw drop what is forwarded unless the chain FORWARD of
// their table "ip filter" accepts it, and an accept in a table of ours does not count there. So two
// rules are put first in that chain, marked as ours. Where there is no such chain nothing is to be
// done.

// Puts the rules for `bridge` in place, once. Succeeds without a change when they are there.
base::Result<> open_host_firewall(linux::NetlinkSocket& socket, const std::string& bridge);

// Takes them away again.
base::Result<> close_host_firewall(linux::NetlinkSocket& socket);

}  // namespace koi::network
