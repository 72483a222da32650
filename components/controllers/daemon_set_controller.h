#pragma once

#include <string>
#include <unordered_set>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/daemon_set_plan.h"

namespace koi::controllers {

// Keeps one pod of each DaemonSet on every node that takes it.
class DaemonSetController final : public Controller {
 public:
  explicit DaemonSetController(Context context);
  void start() override;

 private:
  void on_node(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void enqueue_owner(const api::Object& pod);
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<base::Result<>> create_pod(const api::ObjectPtr& owner, const std::string& node);
  base::Task<base::Result<>> delete_pod(const api::ObjectPtr& owner, const api::ObjectPtr& pod);
  base::Task<base::Result<>> write_status(const api::ObjectPtr& owner, json::Value status);

  Context context_;
  client::Informer& sets_;
  client::Informer& pods_;
  client::Informer& nodes_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
  std::unordered_set<std::string> deleting_;  // uids whose deletion the cache does not show yet
};

}  // namespace koi::controllers
