#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace koi::http {

// A connection, encrypted or not. One reader and one writer at a time; one executor.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Some bytes, at least one; 0 at the end of the stream. Fails with unavailable when it broke.
  virtual base::Task<base::Result<std::size_t>> read_some(std::span<char> buffer) = 0;
  // Writes all of all buffers, in order.
  virtual base::Task<base::Result<>> write(std::span<const std::string_view> buffers) = 0;
  // Ends the connection; pending reads and writes fail. Does not wait.
  virtual void close() = 0;
};

// Accepts connections. Real: a bound socket. Simulated: a queue.
class Listener {
 public:
  virtual ~Listener() = default;
  struct Accepted {
    std::unique_ptr<ByteStream> stream;
    std::string peer_address;
  };
  virtual base::Task<base::Result<Accepted>> accept() = 0;
  virtual void close() = 0;
  // The port that was bound; 0 for a local socket.
  virtual unsigned short port() const = 0;
};

// Opens connections. Real: the network. Simulated: to other nodes of the simulation.
class Dialer {
 public:
  virtual ~Dialer() = default;
  // `address` is "host:port", or "unix:/path".
  virtual base::Task<base::Result<std::unique_ptr<ByteStream>>> dial(
      const std::string& address) = 0;
};

// The network of this machine.
std::unique_ptr<Dialer> make_os_dialer();
// Binds at once; fails with unavailable when the port is taken.
base::Result<std::unique_ptr<Listener>> listen_tcp(const base::Executor& executor,
                                                   const std::string& address, unsigned short port);
// Replaces a socket file that nobody serves; mode 0600.
base::Result<std::unique_ptr<Listener>> listen_unix(const base::Executor& executor,
                                                    const std::string& path);

// Two ends of a connection in memory.
std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> make_stream_pair(
    const base::Executor& executor);

}  // namespace koi::http
