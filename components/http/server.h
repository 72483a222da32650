#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/task.h"
#include "base/time.h"
#include "http/byte_stream.h"
#include "http/message.h"
#include "http/tls.h"

namespace koi::http {

// Answers requests. Called on the executor of the request's connection; with several executors,
// from several threads at once.
class Handler {
 public:
  virtual ~Handler() = default;

  // May change or move from the request, which lives until the task ends. Is cancelled when the
  // server stops or the client goes away (over HTTP/1.1 that is noticed after a second). An
  // exception becomes a 500.
  virtual base::Task<Response> handle(Request& request) = 0;

  // How many bytes of body this request may carry; asked once its headers are there.
  virtual std::size_t body_bytes_max(const Request& head);

  // The answer to what never reaches handle(): 400, 408, 413, 431, 500, 501, 505.
  virtual Response refuse(int status, std::string_view why);
};

struct ServerOptions {
  std::size_t connections_max = base::limits::connections_max;
  std::size_t header_bytes_max = base::limits::request_header_bytes_max;
  std::size_t streams_per_connection_max = base::limits::http2_streams_per_connection_max;
  base::Duration handshake_timeout = base::limits::tls_handshake_timeout;
  // From the first byte of a request to its last.
  base::Duration read_timeout = base::limits::request_timeout;
  base::Duration idle_timeout = base::limits::connection_idle_timeout;
  // How long a write may make no progress before the client counts as gone.
  base::Duration write_timeout = base::limits::request_timeout;
};

// Speaks HTTP/1.1 and HTTP/2 on every connection that its listeners accept. Connections are dealt
// out to the executors in turn and stay there. start(), listen() and stop() are called on the first
// executor; a server that was started must be stopped before it is destroyed.
class Server {
 public:
  Server(base::Clock& clock, Handler& handler, std::vector<base::Executor> executors,
         ServerOptions options = ServerOptions());
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts to accept. With no TLS context the connections are plain: HTTP/1.1, or HTTP/2 with
  // prior knowledge.
  void listen(std::unique_ptr<Listener> listener, std::shared_ptr<TlsServerContext> tls = nullptr);

  // Accepts no more, tells HTTP/2 clients to go away, lets requests in flight end until the grace
  // has passed, then cancels what is left. Streams of bodies are cancelled at once.
  base::Task<> stop(base::Duration grace);

  struct Statistics {
    std::size_t connections = 0;
    std::uint64_t requests = 0;
  };
  // Any thread.
  Statistics statistics() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::http
