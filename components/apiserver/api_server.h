#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/schema.h"
#include "apiserver/node_connection.h"
#include "auth/authenticator.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "client/api_client.h"
#include "crypto/key.h"
#include "datastore/store.h"
#include "http/server.h"

namespace koi::apiserver {

struct ApiServerOptions {
  // What pods reach services by; the first address is the API server's own.
  std::string service_cidr = "10.43.0.0/16";
  // Where clients outside reach the API server; empty: no endpoints are written.
  std::string advertise_address{};
  int port = 6443;
  std::vector<auth::StaticToken> tokens{};
  // Signs the tokens of service accounts; without it none are issued.
  std::optional<crypto::PrivateKey> token_key{};
};

// The API over a store. Its handler and its clients may be used on any thread; start and stop on
// the executor. Lives longer than everything it made.
class ApiServer {
 public:
  struct Doors {
    base::Executor executor;
    datastore::Store& store;
    base::Clock& clock;
    base::Random& random;
    // Null: container logs are refused.
    NodeConnection* nodes = nullptr;
  };

  // Fails with invalid when an option makes no sense.
  static base::Result<std::unique_ptr<ApiServer>> create(const Doors& doors,
                                                         ApiServerOptions options);
  virtual ~ApiServer() = default;

  // Makes the first objects where they are missing and begins to follow roles; ready afterwards.
  virtual base::Task<base::Result<>> start() = 0;
  // Not ready any more; ends the server's own tasks.
  virtual base::Task<> stop() = 0;

  virtual http::Handler& handler() = 0;
  // The in-process transport, acting as `identity`.
  virtual std::unique_ptr<client::ApiClient> client(auth::Identity identity) = 0;
  // What the resources of discovery are; for garbage collectors and namespaces.
  virtual const api::Schema& schema() const = 0;
};

}  // namespace koi::apiserver
