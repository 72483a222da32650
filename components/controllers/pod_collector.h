#pragma once

#include <set>
#include <string>

#include "client/work_queue.h"
#include "controllers/controller.h"

namespace koi::controllers {

struct PodCollectorOptions {
  // How long a node may be missing before its pods are given up.
  base::Duration quarantine = std::chrono::seconds(40);
  // Finished pods that are kept; the oldest beyond that go.
  std::size_t finished_pods_max = 12'500;
};

// Deletes pods that no node looks after any more, and finished ones beyond a limit.
class PodCollector final : public Controller {
 public:
  PodCollector(Context context, PodCollectorOptions options);
  void start() override;

 private:
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void note_finished(const api::ObjectPtr& before, const api::ObjectPtr& after);
  base::Task<base::Result<>> reconcile(std::string key);
  base::Task<base::Result<>> give_up(const api::ObjectPtr& pod);
  base::Task<base::Result<>> remove(const api::ObjectPtr& pod);

  Context context_;
  const PodCollectorOptions options_;
  client::Informer& nodes_;
  client::Informer& pods_;
  client::WorkQueue queue_;
  std::set<std::pair<std::string, std::string>> finished_;  // creation time and key
};

}  // namespace koi::controllers
