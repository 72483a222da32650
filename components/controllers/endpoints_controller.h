#pragma once

#include <string>

#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/endpoints_plan.h"

namespace koi::controllers {

// Keeps Endpoints and EndpointSlices of every Service that selects pods. Services without a
// selector are left to whoever fills them.
class EndpointsController final : public Controller {
 public:
  explicit EndpointsController(Context context);
  void start() override;

 private:
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void enqueue_matching(const api::Object& pod);
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<base::Result<>> write_endpoints(const std::string& key, json::Value wanted);
  base::Task<base::Result<>> write_slices(const api::Object& service, SlicesPlan plan);
  base::Task<base::Result<>> clean_up(const std::string& key);

  Context context_;
  client::Informer& services_;
  client::Informer& pods_;
  client::Informer& endpoints_;
  client::Informer& slices_;
  client::WorkQueue queue_;
};

}  // namespace koi::controllers
