#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/fd.h"
#include "linux/netlink_message.h"

namespace koi::linux {

// A conversation with the kernel about one network namespace: that of the thread that opened it,
// whichever thread uses it. One thread at a time. Calls block for what the kernel takes.
class NetlinkSocket {
 public:
  // `protocol` is NETLINK_ROUTE or NETLINK_NETFILTER.
  // `groups` are RTMGRP_* to hear of changes by wait_for_news().
  static base::Result<NetlinkSocket> open(int protocol, std::uint32_t groups = 0);
  static base::Result<NetlinkSocket> open_in(int net_namespace, int protocol);

  // Sends and waits for the kernel's verdict. The error's code tells not_found (ENOENT, ENODEV,
  // ESRCH) and already_exists (EEXIST) from the rest; its text has the kernel's own words.
  base::Result<> ask(NetlinkMessage message);

  // Sends a request for one thing and returns the answer without its nlmsghdr. Errors as of ask().
  base::Result<std::string> get(NetlinkMessage message);

  // Sends a dump request and returns the answers: each without its nlmsghdr.
  base::Result<std::vector<std::string>> dump(NetlinkMessage message);

  // Returns when something changed, or after `timeout`. What it was must be looked up.
  void wait_for_news(std::chrono::milliseconds timeout);

  // Sends messages in one datagram and returns the first error that any of them caused. The kernel
  // works on nf_tables batches while they are sent, so none is outstanding afterwards.
  base::Result<> send_batch(std::vector<NetlinkMessage> messages);

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  base::Result<> send(std::string_view bytes);
  base::Result<std::string> receive(int flags);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace koi::linux
