#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/byte_stream.h"
#include "http/message.h"

namespace koi::http {

// What a TLS client trusts and shows. PEM text.
struct TlsClientOptions {
  std::string ca;           // the only roots that are trusted
  std::string server_name;  // checked against the certificate
  std::string certificate;  // empty: shows none
  std::string private_key;
};

// One connection to a server; HTTP/2 when it agrees, else HTTP/1.1. Requests may be made at once
// over HTTP/2; over HTTP/1.1 they follow each other. Broken for good once a call failed with
// unavailable: connect again. One executor.
class Client {
 public:
  // `tls` null: plain HTTP/1.1.
  static base::Task<base::Result<std::unique_ptr<Client>>> connect(Dialer& dialer,
                                                                   std::string address,
                                                                   const TlsClientOptions* tls);
  virtual ~Client() = default;

  // The response once its headers are there; its body streams. Cancelling the caller, or destroying
  // the body, ends the request.
  virtual base::Task<base::Result<Response>> send(Request request) = 0;
};

}  // namespace koi::http
