#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/task.h"
#include "base/time.h"
#include "http/byte_stream.h"
#include "http/message.h"
#include "http/tls.h"

namespace koi::http {

struct ClientOptions {
  base::Duration connect_timeout = std::chrono::seconds(10);  // dial and TLS handshake together
  // Until the whole answer is there (send), or its head (open).
  base::Duration request_timeout = std::chrono::seconds(60);
  std::size_t body_bytes_max = 64 * 1024 * 1024;  // of a response that send() collects
  bool prior_knowledge_http2 = false;             // without TLS: speak HTTP/2 at once
  // HTTP/2: a PING goes out when nothing came for this long; no answer in the same time again ends
  // the connection. 0: never.
  base::Duration ping_interval = std::chrono::seconds(30);
};

// What a request for an upgrade came to.
struct Upgraded {
  Response response;                   // 101, or the refusal with its body
  std::unique_ptr<ByteStream> stream;  // set when the status is 101
};

// One connection to a server: HTTP/2 when TLS agrees on it (requests run side by side), else
// HTTP/1.1 (requests queue). It does not reconnect: once alive() is false every call fails with
// unavailable and the caller connects anew. One executor. Stop it before it is destroyed.
class Client {
 public:
  // Without a TLS context the connection is plain. Fails with unavailable, timeout, unauthorized.
  // `authority` is the Host of requests that name none.
  static base::Task<base::Result<std::unique_ptr<Client>>> connect(
      base::Clock& clock, Dialer& dialer, Endpoint endpoint, std::string authority,
      std::shared_ptr<TlsClientContext> tls, ClientOptions options);

  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The response with its whole body as a string. Statuses are not failures. Fails with
  // unavailable (the connection broke; the server may or may not have acted), timeout, too_large.
  base::Task<base::Result<Response>> send(Request request);
  // Returns at the response's head; its body is a stream whose next() gives what has come. Destroy
  // the body to tell the server to stop. HTTP/1.1: nothing else can be sent until the body ended,
  // and destroying it earlier ends the connection.
  base::Task<base::Result<Response>> open(Request request);
  // Asks to leave HTTP on an HTTP/1.1 connection; on success this client is no longer alive.
  base::Task<base::Result<Upgraded>> upgrade(Request request);

  bool alive() const;
  // "h2" or "http/1.1".
  std::string_view protocol() const;
  const Peer& peer() const;

  // Breaks off what is in flight and closes the connection.
  base::Task<> stop();

  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::http
