#include "node/control_plane.h"

#include "client/resource_catalog.h"
#include "controllers/controller_manager.h"
#include "scheduler/scheduler.h"

namespace koi::node {

using base::Result;
using base::Task;

// In the order in which they start.
struct ControlPlane::Parts {
  std::unique_ptr<apiserver::ApiServer> api_server;
  std::unique_ptr<client::ApiClient> controllers_client;
  std::unique_ptr<client::ApiClient> scheduler_client;
  std::unique_ptr<controllers::ControllerManager> controllers;
  std::unique_ptr<scheduler::Scheduler> scheduler;
  bool running = false;
};

Result<std::unique_ptr<ControlPlane>> ControlPlane::create(
    const Doors& doors, const crypto::PrivateKey& service_account_key,
    const ControlPlaneOptions& options) {
  apiserver::ApiServerOptions api_options;
  api_options.service_cidr = options.service_cidr;
  api_options.advertise_address = options.advertise_address;
  api_options.port = options.advertise_port;
  api_options.token_key = service_account_key;
  auto api_server = apiserver::ApiServer::create(
      {doors.executor, doors.store, doors.clock, doors.random, doors.nodes}, api_options);
  if (!api_server) return base::fail(std::move(api_server).error());
  auto parts = std::make_unique<Parts>();
  parts->api_server = std::move(*api_server);
  parts->controllers_client =
      parts->api_server->client({.name = "system:kube-controller-manager",
                                 .groups = {"system:masters", "system:authenticated"}});
  parts->scheduler_client = parts->api_server->client(
      {.name = "system:kube-scheduler", .groups = {"system:authenticated"}});
  controllers::ControllerManagerOptions controller_options;
  controller_options.catalog = client::catalog_of(parts->api_server->schema());
  controller_options.cluster_cidrs = {options.cluster_cidr};
  controller_options.root_ca_pem = options.server_ca_pem;
  parts->controllers = std::make_unique<controllers::ControllerManager>(
      *parts->controllers_client, doors.clock, doors.random, doors.executor, controller_options);
  parts->scheduler =
      std::make_unique<scheduler::Scheduler>(*parts->scheduler_client, doors.clock, doors.random,
                                             doors.executor, scheduler::SchedulerOptions());
  return std::unique_ptr<ControlPlane>(new ControlPlane(std::move(parts)));
}

ControlPlane::ControlPlane(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

ControlPlane::~ControlPlane() = default;

Task<Result<>> ControlPlane::start() {
  auto started = co_await parts_->api_server->start();
  if (!started) co_return started;
  if (auto running = parts_->controllers->start(); !running) co_return running;
  parts_->scheduler->start();
  parts_->running = true;
  co_return Result<>();
}

Task<> ControlPlane::stop() {
  if (parts_->running) {
    co_await parts_->scheduler->stop();
    co_await parts_->controllers->stop();
  }
  co_await parts_->api_server->stop();
}

http::Handler& ControlPlane::handler() { return parts_->api_server->handler(); }

std::unique_ptr<client::ApiClient> ControlPlane::client(auth::Identity identity) {
  return parts_->api_server->client(std::move(identity));
}

auth::Identity ControlPlane::node_identity(const std::string& node_name) {
  return {.name = "system:node:" + node_name, .groups = {"system:nodes", "system:authenticated"}};
}

}  // namespace koi::node
