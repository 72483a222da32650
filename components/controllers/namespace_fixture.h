#pragma once

#include <functional>
#include <string>

#include "client/work_queue.h"
#include "controllers/controller.h"

namespace koi::controllers {

// An object that every namespace has.
struct Fixture {
  client::Resource resource{};
  std::string name{};
  // The object without its namespace.
  json::Value object{};
  // Members of the object that are put back when someone changes them; the rest is the user's.
  std::vector<std::string> guarded{};
};

// The ServiceAccount "default".
Fixture default_service_account();
// The ConfigMap "kube-root-ca.crt" with the cluster's CA in PEM.
Fixture root_ca_config_map(const std::string& ca_pem);

// Keeps the fixture in every namespace that is not being deleted.
class NamespaceFixture final : public Controller {
 public:
  NamespaceFixture(Context context, Fixture fixture);
  void start() override;

 private:
  base::Task<base::Result<>> reconcile(std::string name_space);
  base::Task<base::Result<>> create(const std::string& name_space);
  base::Task<base::Result<>> repair(const api::ObjectPtr& current);

  Context context_;
  const Fixture fixture_;
  client::Informer& namespaces_;
  client::Informer& objects_;
  client::WorkQueue queue_;
};

}  // namespace koi::controllers
