#pragma once

#include "apiserver/api_service.h"
#include "client/api_client.h"

namespace koi::apiserver {

// The transport within the server's process: the same authorization and admission, objects shared
// by reference. Any thread.
class LocalClient final : public client::ApiClient {
 public:
  // Keeps the service only.
  LocalClient(ApiService& service, auth::Identity identity)
      : service_(service), identity_(std::move(identity)) {}

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

 private:
  api::StatusOr<Call> call(const client::Resource& resource) const;
  api::StatusOr<Call> call(const client::ObjectRef& ref) const;

  ApiService& service_;
  auth::Identity identity_;
};

}  // namespace koi::apiserver
