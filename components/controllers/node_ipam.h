#pragma once

#include <string>
#include <vector>

#include "client/events.h"
#include "client/work_queue.h"
#include "controllers/cidr_pool.h"
#include "controllers/controller.h"

namespace koi::controllers {

// Gives every node its own range of pod addresses out of each pool: spec.podCIDRs, first pool
// first.
class NodeIpam final : public Controller {
 public:
  NodeIpam(Context context, std::vector<CidrPool> pools);
  void start() override;

 private:
  void on_node(const api::ObjectPtr& before, const api::ObjectPtr& after);
  base::Task<base::Result<>> reconcile(std::string name);
  base::Result<std::vector<std::string>> take();
  void release(const std::vector<std::string>& ranges);

  Context context_;
  std::vector<CidrPool> pools_;
  client::Informer& nodes_;
  client::EventRecorder events_;
  client::WorkQueue queue_;
};

}  // namespace koi::controllers
