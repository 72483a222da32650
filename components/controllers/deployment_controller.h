#pragma once

#include <string>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/deployment_plan.h"

namespace koi::controllers {

// Rolls each Deployment out through ReplicaSets.
class DeploymentController final : public Controller {
 public:
  explicit DeploymentController(Context context);
  void start() override;

 private:
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<base::Result<>> perform(const api::ObjectPtr& deployment, DeploymentPlan& plan);
  base::Task<base::Result<>> create_set(const api::ObjectPtr& deployment, DeploymentPlan& plan);
  base::Task<base::Result<>> resolve_collision(const api::ObjectPtr& deployment,
                                               const json::Value& wanted);
  base::Task<base::Result<>> write_status(const api::ObjectPtr& deployment, json::Value status);
  base::Task<base::Result<>> write_revision(const api::ObjectPtr& deployment,
                                            const std::string& revision);
  bool old_pods_run(const api::Object& deployment, const std::vector<api::ObjectPtr>& sets) const;
  void on_set(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void enqueue_owner(const api::Object& set);

  Context context_;
  client::Informer& deployments_;
  client::Informer& sets_;
  client::Informer& pods_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
};

}  // namespace koi::controllers
