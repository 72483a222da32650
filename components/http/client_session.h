#pragma once

#include <memory>
#include <string>

#include "http/client.h"

// One protocol on a client's connection. For this component's sources.
namespace koi::http {

class ClientSession {
 public:
  virtual ~ClientSession() = default;

  virtual base::Task<base::Result<Response>> open(Request request) = 0;
  virtual base::Task<base::Result<Upgraded>> upgrade(Request request) = 0;
  virtual bool alive() const = 0;
  // Closes the connection; what is in flight fails.
  virtual void close() = 0;
  // After close: until no task of the session runs.
  virtual base::Task<> wait_closed() = 0;
};

struct ClientSessionOptions {
  base::Clock& clock;
  base::Executor executor;
  std::string authority;
  base::Duration ping_interval;
};

std::shared_ptr<ClientSession> make_h1_client(const ClientSessionOptions& options,
                                              std::unique_ptr<ByteStream> stream);
std::shared_ptr<ClientSession> make_h2_client(const ClientSessionOptions& options,
                                              std::unique_ptr<ByteStream> stream);

// The whole body as one string; fails with too_large above the bound.
base::Task<base::Result<std::string>> collect_body(Body body, std::size_t bytes_max);

}  // namespace koi::http
