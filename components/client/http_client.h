#pragma once

#include <memory>
#include <string>

#include "base/event.h"
#include "base/task.h"
#include "base/time.h"
#include "client/api_client.h"
#include "http/client.h"

namespace koi::client {

struct HttpClientOptions {
  http::Endpoint endpoint{};
  std::string authority{};                        // the Host header: "10.0.0.1:6443"
  std::shared_ptr<http::TlsClientContext> tls{};  // null: plain
  std::string bearer_token{};                     // empty: the client certificate says who we are
  std::string user_agent = "koi";
  http::ClientOptions http{};
};

// The API over HTTP: one connection for all requests where the server speaks HTTP/2, else one more
// for each watch. A connection that broke is replaced at the next request; what was in flight fails
// with unavailable and may or may not have been done. One executor; stop() before destruction, and
// no watch outlives it.
class HttpClient final : public ApiClient {
 public:
  HttpClient(base::Clock& clock, http::Dialer& dialer, const base::Executor& executor,
             HttpClientOptions options);
  ~HttpClient() override;

  base::Task<base::Result<api::ObjectPtr>> get(const ObjectRef& ref) override;
  base::Task<base::Result<ObjectList>> list(const Resource& resource, const std::string& name_space,
                                            const ListOptions& options) override;
  base::Task<base::Result<std::unique_ptr<Watch>>> watch(const Resource& resource,
                                                         const std::string& name_space,
                                                         const WatchOptions& options) override;
  base::Task<base::Result<api::ObjectPtr>> create(const ObjectRef& ref,
                                                  json::Value object) override;
  base::Task<base::Result<api::ObjectPtr>> update(const ObjectRef& ref,
                                                  json::Value object) override;
  base::Task<base::Result<api::ObjectPtr>> patch(const ObjectRef& ref, PatchType type,
                                                 json::Value patch) override;
  base::Task<base::Result<>> remove(const ObjectRef& ref, const DeleteOptions& options) override;

  // Ends every request and connection.
  base::Task<> stop();

 private:
  friend class HttpWatch;
  using Connection = std::shared_ptr<http::Client>;

  base::Task<base::Result<Connection>> connect();
  base::Task<base::Result<Connection>> connection();
  base::Task<base::Result<json::Value>> send(http::Request request);
  base::Task<base::Result<api::ObjectPtr>> send_object(http::Request request);
  http::Request make_request(http::Method method, std::string target) const;
  // Stops a connection without making the caller wait.
  void retire(Connection connection);
  static base::Task<> stop_one(Connection connection);

  base::Clock& clock_;
  http::Dialer& dialer_;
  const HttpClientOptions options_;
  base::TaskGroup retiring_;
  base::Event connected_;
  Connection current_;
  bool connecting_ = false;
};

}  // namespace koi::client
