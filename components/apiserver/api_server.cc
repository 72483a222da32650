#include "apiserver/api_server.h"

#include "apiserver/admission.h"
#include "apiserver/bootstrap.h"
#include "apiserver/event_expiry.h"
#include "apiserver/http_handler.h"
#include "apiserver/local_client.h"
#include "apiserver/rbac_refresh.h"

namespace koi::apiserver {

namespace {

using base::Result;
using base::Task;

class RealApiServer final : public ApiServer {
 public:
  struct Parts {
    std::unique_ptr<ServiceAllocator> services;
    std::shared_ptr<const auth::ServiceAccountTokens> tokens;
  };

  RealApiServer(const Doors& doors, const ApiServerOptions& options, Parts parts)
      : doors_(doors),
        options_(options),
        services_(std::move(parts.services)),
        tokens_(std::move(parts.tokens)),
        authenticator_(options.tokens, tokens_),
        admission_({doors.store, catalog_, doors.clock, doors.random, *services_, authorizer_}),
        operations_({doors.store, doors.clock, doors.random, catalog_, admission_}),
        service_({operations_, authorizer_, authenticator_, tokens_}),
        discovery_(catalog_.schema(),
                   options.advertise_address + ":" + std::to_string(options.port)),
        health_(doors.store),
        handler_({service_, doors.clock, doors.random, discovery_, health_, doors.nodes, tokens_}),
        rbac_(doors.store, catalog_, authorizer_),
        tasks_(doors.executor) {}

  Task<Result<>> start() override {
    restore_services();
    const BootstrapOptions options{.service_address = services_->first_address(),
                                   .advertise_address = options_.advertise_address,
                                   .port = options_.port};
    auto made = co_await make_first_objects(operations_, options);
    if (!made) co_return made;
    rbac_.start(tasks_);
    tasks_.spawn("events.expire", expire_events(operations_));
    health_.set_ready(true);
    co_return Result<>();
  }

  Task<> stop() override {
    health_.set_ready(false);
    co_await tasks_.stop();
  }

  http::Handler& handler() override { return handler_; }
  std::unique_ptr<client::ApiClient> client(auth::Identity identity) override {
    return std::make_unique<LocalClient>(service_, std::move(identity));
  }
  const api::Schema& schema() const override { return catalog_.schema(); }

 private:
  void restore_services() {
    const Resource* resource = catalog_.find("", "v1", "services");
    const auto range = doors_.store.range(resource->prefix, {});
    if (!range) return;
    for (const auto& entry : range->entries) services_->restore(entry->object->value());
  }

  // Constant after construction; the order is that of need.
  Doors doors_;
  ApiServerOptions options_;
  Catalog catalog_{api::builtin_schema()};
  std::unique_ptr<ServiceAllocator> services_;
  std::shared_ptr<const auth::ServiceAccountTokens> tokens_;
  auth::Authorizer authorizer_;
  auth::Authenticator authenticator_;
  Admission admission_;
  Operations operations_;
  ApiService service_;
  DiscoveryEndpoint discovery_;
  HealthEndpoint health_;
  HttpHandler handler_;
  RbacRefresh rbac_;
  base::TaskGroup tasks_;
};

auth::ObjectLookup lookup_in(datastore::Store& store) {
  return [&store](std::string_view plural, std::string_view name_space, std::string_view name) {
    const auto entry = store.get("/registry/core/" + std::string(plural) + "/" +
                                 std::string(name_space) + "/" + std::string(name));
    return entry ? entry->object : nullptr;
  };
}

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::create(const Doors& doors, ApiServerOptions options) {
  RealApiServer::Parts parts;
  auto services = ServiceAllocator::create({.cidr = options.service_cidr});
  if (!services) return base::fail(std::move(services).error());
  parts.services = std::move(*services);
  if (options.token_key) {
    auto tokens = auth::ServiceAccountTokens::create(*options.token_key, doors.clock, doors.random,
                                                     lookup_in(doors.store), {});
    if (!tokens) return base::fail(std::move(tokens).error());
    parts.tokens = std::move(*tokens);
  }
  return std::make_unique<RealApiServer>(doors, options, std::move(parts));
}

}  // namespace koi::apiserver
