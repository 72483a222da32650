#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "http/byte_stream.h"

// TLS 1.2 and 1.3 over any stream. Certificates are judged at the wall time of the clock given.
namespace koi::http {

struct ServerTls {
  std::string certificate_chain_pem;  // leaf first
  std::string key_pem;
  // When set, clients are asked for a certificate and Peer tells what came of it; a certificate
  // that cannot be verified does not fail the handshake.
  std::string client_ca_pem;
};

// What a server's handshakes use. Any thread.
class TlsServerContext {
 public:
  static base::Result<std::shared_ptr<TlsServerContext>> make(base::Clock& clock,
                                                              const ServerTls& config);
  ~TlsServerContext();

  // New handshakes use the new certificates; connections that are open keep theirs.
  base::Result<> replace(const ServerTls& config);

  // Offers h2 and http/1.1. Fails with unauthorized or unavailable.
  base::Task<base::Result<std::unique_ptr<ByteStream>>> accept(std::unique_ptr<ByteStream> stream);

  struct Impl;
  explicit TlsServerContext(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

struct ClientTls {
  std::string ca_pem;                 // the only roots that are trusted
  std::string certificate_chain_pem;  // empty: none is shown
  std::string key_pem;
  std::string server_name;  // DNS name or IP that the certificate must hold
  bool skip_verification = false;
  std::vector<std::string> protocols = {"h2", "http/1.1"};
};

// What a client's handshakes use. Any thread.
class TlsClientContext {
 public:
  static base::Result<std::shared_ptr<TlsClientContext>> make(base::Clock& clock,
                                                              const ClientTls& config);
  ~TlsClientContext();

  // Fails with unauthorized when the server's certificate is not what was asked for.
  base::Task<base::Result<std::unique_ptr<ByteStream>>> connect(std::unique_ptr<ByteStream> stream);

  struct Impl;
  explicit TlsClientContext(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::http
