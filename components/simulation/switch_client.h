#pragma once

#include <memory>

#include "base/task.h"
#include "client/api_client.h"

namespace koi::simulation {

// A node's road to the API: to whichever server is up, failing with unavailable while none is. What
// is under way when the server goes fails too, as a broken connection would.
class SwitchClient final : public client::ApiClient {
 public:
  explicit SwitchClient(base::Executor executor);
  ~SwitchClient() override;

  // The server is there from now on.
  void connect(client::ApiClient& server);
  // The server is gone: returns once nothing of it is used any more.
  base::Task<> disconnect();

  base::Task<base::Result<api::ObjectPtr>> get(const client::ObjectRef& ref) override;
  base::Task<base::Result<client::ObjectList>> list(const client::Resource& resource,
                                                    const std::string& name_space,
                                                    const client::ListOptions& options) override;
  base::Task<base::Result<std::unique_ptr<client::Watch>>> watch(
      const client::Resource& resource, const std::string& name_space,
      const client::WatchOptions& options) override;
  base::Task<base::Result<api::ObjectPtr>> create(const client::ObjectRef& ref,
                                                  json::Value object) override;
  base::Task<base::Result<api::ObjectPtr>> update(const client::ObjectRef& ref,
                                                  json::Value object) override;
  base::Task<base::Result<api::ObjectPtr>> patch(const client::ObjectRef& ref,
                                                 client::PatchType type,
                                                 json::Value patch) override;
  base::Task<base::Result<>> remove(const client::ObjectRef& ref,
                                    const client::DeleteOptions& options) override;

  struct Link;

 private:
  base::Executor executor_;
  std::shared_ptr<Link> link_;
};

}  // namespace koi::simulation
