#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "http/message.h"

namespace koi::http {

// An ordered, reliable pair of byte flows: a socket, TLS over one, or memory. One executor; at most
// one task reads and one writes at a time. Waiting tasks can be cancelled. After a failure, or
// close(), every call fails with unavailable.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Never waits. Bytes read; 0 at the end of the stream; nothing when none has come yet.
  virtual base::Result<std::optional<std::size_t>> try_read(std::span<char> buffer) = 0;
  // Never waits. Takes as many bytes from the front of the segments as fit, perhaps 0.
  virtual base::Result<std::size_t> try_write(std::span<const std::string_view> segments) = 0;
  // Until try_read may have something. May return early.
  virtual base::Task<base::Result<>> wait_readable() = 0;
  // Until try_write may take more; also pushes out what the stream itself holds back.
  virtual base::Task<base::Result<>> wait_writable() = 0;
  // Bytes were taken by try_write that are still to be pushed out by wait_writable.
  virtual bool has_unsent() const { return false; }
  // Tells the other end that no more will be written.
  virtual base::Task<base::Result<>> shutdown_write() = 0;
  // Ends both directions at once; waiting calls return.
  virtual void close() = 0;
  // The other end. Never null.
  virtual std::shared_ptr<const Peer> peer() const = 0;
  // The protocol that TLS agreed on ("h2", "http/1.1"), else "".
  virtual std::string_view protocol() const { return {}; }

  // At least one byte, or 0 at the end of the stream.
  base::Task<base::Result<std::size_t>> read_some(std::span<char> buffer);
  // All bytes, in as few operations as can be. They must live until it returns.
  base::Task<base::Result<>> write(std::string_view bytes);
  base::Task<base::Result<>> write_all(std::span<const std::string_view> segments);
};

// Waits for connections. Its accept() is called by one task at a time.
class Listener {
 public:
  virtual ~Listener() = default;

  // The next connection, to be used on `executor`. Fails with unavailable once closed; other
  // failures may pass (too many open files).
  virtual base::Task<base::Result<std::unique_ptr<ByteStream>>> accept(
      const base::Executor& executor) = 0;
  // accept() fails from now on.
  virtual void close() = 0;
  // "127.0.0.1:6443", "unix:/run/koi.sock": the real port when 0 was asked for.
  virtual std::string address() const = 0;
};

// Where to dial: an IP address or name and a port, or the path of a Unix socket.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string unix_path;  // if set, host and port do not matter

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
// "host:port", "[::1]:80" or "unix:/path".
std::string to_string(const Endpoint& endpoint);

// The way out to other machines and processes.
class Dialer {
 public:
  virtual ~Dialer() = default;

  // A connection whose stream is used on the calling task's executor. Fails with unavailable.
  // Takes as long as the network does: cancel it, or use with_deadline.
  virtual base::Task<base::Result<std::unique_ptr<ByteStream>>> dial(const Endpoint& endpoint) = 0;
};

}  // namespace koi::http
