#pragma once

#include <string>
#include <unordered_set>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/job_plan.h"

namespace koi::controllers {

// Runs the pods of each Job to completion.
class JobController final : public Controller {
 public:
  explicit JobController(Context context);
  void start() override;

 private:
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void enqueue_owner(const api::Object& pod);
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<base::Result<>> perform(const api::ObjectPtr& job, JobPlan& plan);
  base::Task<base::Result<>> create_pod(const api::ObjectPtr& job);
  base::Task<base::Result<>> delete_pod(const api::ObjectPtr& job, const api::ObjectPtr& pod);
  base::Task<base::Result<>> untrack(const api::ObjectPtr& pod);
  base::Task<base::Result<>> write_status(const api::ObjectPtr& job, JobPlan& plan);

  Context context_;
  client::Informer& jobs_;
  client::Informer& pods_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
  std::unordered_set<std::string> deleting_;  // uids whose deletion the cache does not show yet
};

}  // namespace koi::controllers
