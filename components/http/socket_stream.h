#pragma once

#include <memory>
#include <string>

#include "http/byte_stream.h"

// TCP and Unix sockets as streams.
namespace koi::http {

struct ListenOptions {
  std::string address = "0.0.0.0";  // an IP address; "::" takes IPv4 too
  std::uint16_t port = 0;           // 0: the kernel chooses
  int backlog = 1024;
};

// Binds and listens. Fails with already_exists when the port is taken.
base::Result<std::unique_ptr<Listener>> listen_tcp(const base::Executor& executor,
                                                   const ListenOptions& options);

// Replaces a socket file that nobody listens on; fails with already_exists when somebody does.
// The file gets this mode, and is removed when the listener goes.
base::Result<std::unique_ptr<Listener>> listen_unix(const base::Executor& executor,
                                                    const std::string& path,
                                                    std::uint32_t mode = 0600);

// Dials over the kernel's sockets. Any executor.
std::unique_ptr<Dialer> make_socket_dialer();

}  // namespace koi::http
