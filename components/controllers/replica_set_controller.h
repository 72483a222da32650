#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/replica_set_plan.h"

namespace koi::controllers {

// Keeps as many pods of each ReplicaSet as it asks for.
class ReplicaSetController final : public Controller {
 public:
  explicit ReplicaSetController(Context context);
  void start() override;

 private:
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<std::optional<ReplicaFailure>> perform(const api::ObjectPtr& owner,
                                                    ReplicaSetPlan plan);
  base::Task<base::Result<>> create_pod(const api::ObjectPtr& owner);
  base::Task<base::Result<>> delete_pod(const api::ObjectPtr& owner, const api::ObjectPtr& pod);
  base::Task<base::Result<>> write_status(const api::ObjectPtr& owner, json::Value status);
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void enqueue_owner(const api::Object& pod);
  std::vector<api::ObjectPtr> related_pods(const api::Object& owner) const;

  Context context_;
  client::Informer& replica_sets_;
  client::Informer& pods_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
  std::unordered_set<std::string> deleting_;  // uids whose deletion the cache does not show yet
};

}  // namespace koi::controllers
