#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "http/byte_stream.h"
#include "http/message.h"

namespace koi::http {

// What a TLS server shows and asks for. PEM text.
struct TlsServerOptions {
  std::string certificate_chain;
  std::string private_key;
  // Clients may show a certificate; it is verified against these. Empty: none is asked for.
  std::string client_ca;
};

// Makes plain connections into TLS ones on accept.
class TlsAcceptor {
 public:
  static base::Result<std::shared_ptr<TlsAcceptor>> create(const TlsServerOptions& options);
  virtual ~TlsAcceptor() = default;

  struct Secured {
    std::unique_ptr<ByteStream> stream;
    std::string protocol;  // by ALPN: "h2", "http/1.1", or empty
    Peer peer;             // with the verified certificate; address as given
  };
  virtual base::Task<base::Result<Secured>> handshake(std::unique_ptr<ByteStream> stream,
                                                      Peer peer) = 0;
};

// Serves HTTP/1.1 and HTTP/2 (by ALPN or prior knowledge) from listeners to one handler. Each
// connection lives on its listener's executor.
class Server {
 public:
  Server(base::Clock& clock, base::Executor executor, Handler& handler);
  ~Server();

  // Begins to accept. `tls` null: plain.
  void serve(std::unique_ptr<Listener> listener, std::shared_ptr<TlsAcceptor> tls);
  // Serves one connection that is already there; for tests and tunnels.
  void serve_connection(std::unique_ptr<ByteStream> stream, Peer peer);

  // Stops accepting, lets running requests finish until the deadline, then cancels them.
  base::Task<> stop(base::Duration grace);

  std::size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace koi::http
