#pragma once

#include <map>
#include <string>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/node_health.h"

namespace koi::controllers {

struct NodeLifecycleOptions {
  base::Duration grace = std::chrono::seconds(40);
};

// Notices nodes that fall silent, says so in their conditions and taints, and marks their pods as
// not ready. A healthy node costs no request.
class NodeLifecycle final : public Controller {
 public:
  NodeLifecycle(Context context, NodeLifecycleOptions options);
  void start() override;

 private:
  struct Seen {
    std::string signs;  // lease and heartbeat times as last seen
    base::MonoTime changed{};
  };

  void on_node(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void on_lease(const api::ObjectPtr& lease);
  void note_signs(const std::string& name);
  void recheck_all();
  bool is_silent(const std::string& name) const;
  bool all_dark() const;

  base::Task<base::Result<>> reconcile(std::string name);
  base::Task<base::Result<>> write_conditions(const api::ObjectPtr& node, json::Array conditions);
  base::Task<base::Result<>> write_taints(const api::ObjectPtr& node, json::Array taints);
  base::Task<base::Result<>> mark_pods(const std::string& node);

  Context context_;
  const NodeLifecycleOptions options_;
  client::Informer& nodes_;
  client::Informer& leases_;
  client::Informer& pods_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
  std::map<std::string, Seen> seen_;
  bool was_dark_ = false;
};

}  // namespace koi::controllers
