#include "linux/netlink_socket.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>

#include "linux/net_namespace.h"

namespace koi::linux {

namespace {

constexpr std::size_t receive_bytes = 64 * 1024;

base::Code code_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ESRCH:
      return base::Code::not_found;
    case EEXIST:
      return base::Code::already_exists;
    case EPERM:
    case EACCES:
      return base::Code::forbidden;
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return base::Code::unsupported;
    default:
      return base::Code::internal;
  }
}

// The kernel's verdict: 0 is success. Its own words, where it has any, follow the request.
base::Result<> verdict_of(std::string_view payload, std::uint16_t flags) {
  const auto error = read_as<nlmsgerr>(payload);
  if (error.error == 0) return {};
  const int error_number = -error.error;
  std::string message = "kernel: " + std::string(std::strerror(error_number));
  if ((flags & NLM_F_ACK_TLVS) != 0) {
    std::size_t skip = sizeof(nlmsgerr);
    if ((flags & NLM_F_CAPPED) == 0 && error.msg.nlmsg_len >= sizeof(nlmsghdr)) {
      skip += NLMSG_ALIGN(error.msg.nlmsg_len) - sizeof(nlmsghdr);
    }
    if (skip < payload.size()) {
      for_each_attribute(payload.substr(skip), [&](std::uint16_t type, std::string_view value) {
        if (type == NLMSGERR_ATTR_MSG) {
          message += " (" + std::string(value.substr(0, value.find('\0'))) + ")";
        }
      });
    }
  }
  return base::fail(code_of(error_number), std::move(message));
}

// Calls `visit` for every message of a datagram; false from it stops.
void for_each_message(std::string_view datagram,
                      const std::function<bool(const nlmsghdr&, std::string_view)>& visit) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto header = read_as<nlmsghdr>(datagram);
    if (header.nlmsg_len < sizeof(nlmsghdr) || header.nlmsg_len > datagram.size()) return;
    const auto payload = datagram.substr(sizeof(nlmsghdr), header.nlmsg_len - sizeof(nlmsghdr));
    if (!visit(header, payload)) return;
    datagram.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
}

}  // namespace

base::Result<NetlinkSocket> NetlinkSocket::open(int protocol, std::uint32_t groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return fail_errno("open netlink socket");
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  if (groups != 0) {
    sockaddr_nl own{};
    own.nl_family = AF_NETLINK;
    own.nl_groups = groups;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0) {
      return fail_errno("subscribe to netlink");
    }
  }
  return NetlinkSocket(std::move(fd));
}

base::Result<NetlinkSocket> NetlinkSocket::open_in(int net_namespace, int protocol) {
  std::optional<NetlinkSocket> made;
  const auto outcome = in_net_namespace(net_namespace, [&]() -> base::Result<> {
    auto socket = open(protocol);
    if (!socket) return base::fail(std::move(socket).error());
    made.emplace(std::move(*socket));
    return {};
  });
  if (!outcome) return base::fail(outcome.error());
  return std::move(*made);
}

base::Result<> NetlinkSocket::send(std::string_view bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  while (true) {
    const ssize_t sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                                  reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
    if (sent >= 0) return {};
    if (errno != EINTR) return fail_errno("send netlink message");
  }
}

base::Result<std::string> NetlinkSocket::receive(int flags) {
  std::string buffer(receive_bytes, '\0');
  while (true) {
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), flags);
    if (count >= 0) {
      buffer.resize(static_cast<std::size_t>(count));
      return buffer;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return base::fail(base::Code::unavailable, "no netlink message");
    }
    return fail_errno("receive netlink message");
  }
}

base::Result<> NetlinkSocket::ask(NetlinkMessage message) {
  const std::uint32_t sequence = ++sequence_;
  if (auto sent = send(message.finish(sequence, NLM_F_ACK)); !sent) return sent;
  while (true) {
    auto datagram = receive(0);
    if (!datagram) return base::fail(std::move(datagram).error());
    std::optional<base::Result<>> verdict;
    for_each_message(*datagram, [&](const nlmsghdr& header, std::string_view payload) {
      if (header.nlmsg_seq != sequence || header.nlmsg_type != NLMSG_ERROR) return true;
      verdict = verdict_of(payload, header.nlmsg_flags);
      return false;
    });
    if (verdict) return *verdict;
  }
}

base::Result<std::string> NetlinkSocket::get(NetlinkMessage message) {
  const std::uint32_t sequence = ++sequence_;
  if (auto sent = send(message.finish(sequence)); !sent) {
    return base::fail(std::move(sent).error());
  }
  while (true) {
    auto datagram = receive(0);
    if (!datagram) return datagram;
    std::optional<base::Result<std::string>> answer;
    for_each_message(*datagram, [&](const nlmsghdr& header, std::string_view payload) {
      if (header.nlmsg_seq != sequence) return true;
      answer.emplace(std::string(payload));
      if (header.nlmsg_type != NLMSG_ERROR) return false;
      if (auto verdict = verdict_of(payload, header.nlmsg_flags); !verdict) {
        answer = base::fail(std::move(verdict).error());
      }
      return false;
    });
    if (answer) return std::move(*answer);
  }
}

base::Result<std::vector<std::string>> NetlinkSocket::dump(NetlinkMessage message) {
  const std::uint32_t sequence = ++sequence_;
  if (auto sent = send(message.finish(sequence, NLM_F_DUMP)); !sent) {
    return base::fail(std::move(sent).error());
  }
  std::vector<std::string> answers;
  bool done = false;
  base::Result<> verdict;
  while (!done) {
    auto datagram = receive(0);
    if (!datagram) return base::fail(std::move(datagram).error());
    for_each_message(*datagram, [&](const nlmsghdr& header, std::string_view payload) {
      if (header.nlmsg_seq != sequence) return true;
      if (header.nlmsg_type == NLMSG_ERROR) verdict = verdict_of(payload, header.nlmsg_flags);
      done = header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
      if (!done) answers.emplace_back(payload);
      return !done;
    });
  }
  if (!verdict) return base::fail(std::move(verdict).error());
  return answers;
}

void NetlinkSocket::wait_for_news(std::chrono::milliseconds timeout) {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return;
  // Also when some were lost (ENOBUFS) there is something to look up.
  while (receive(MSG_DONTWAIT)) {
  }
}

base::Result<> NetlinkSocket::send_batch(std::vector<NetlinkMessage> messages) {
  std::string bytes;
  for (NetlinkMessage& message : messages) bytes += message.finish(++sequence_);
  // A batch is one datagram; beyond the default of some 200 KB root may ask for more.
  const int size = static_cast<int>(std::max<std::size_t>(2 * bytes.size(), 256 * 1024));
  (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
  if (auto sent = send(bytes); !sent) return sent;
  base::Result<> first;
  while (true) {
    auto datagram = receive(MSG_DONTWAIT);
    if (!datagram && datagram.error().code == base::Code::unavailable) return first;
    if (!datagram) return base::fail(std::move(datagram).error());
    for_each_message(*datagram, [&](const nlmsghdr& header, std::string_view payload) {
      if (header.nlmsg_type != NLMSG_ERROR || !first) return true;
      first = verdict_of(payload, header.nlmsg_flags);
      return true;
    });
  }
}

}  // namespace koi::linux
