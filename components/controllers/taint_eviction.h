#pragma once

#include <string>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/controller.h"

namespace koi::controllers {

// Evicts pods from nodes whose NoExecute taints they do not tolerate, or no longer.
class TaintEviction final : public Controller {
 public:
  explicit TaintEviction(Context context);
  void start() override;

 private:
  void on_node(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<base::Result<>> evict(const api::ObjectPtr& pod);

  Context context_;
  // Taints older than this process count from its start: after an outage of the control plane every
  // node gets the time to report.
  const base::WallTime started_;
  client::Informer& nodes_;
  client::Informer& pods_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
};

}  // namespace koi::controllers
