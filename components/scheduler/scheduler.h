#pragma once

#include <memory>
#include <string>

#include "base/event.h"
#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "client/alarm.h"
#include "client/api_client.h"
#include "client/events.h"
#include "client/informer_factory.h"
#include "scheduler/cluster_state.h"
#include "scheduler/placement.h"
#include "scheduler/scheduling_queue.h"

namespace koi::scheduler {

struct SchedulerOptions {
  std::string name = "default-scheduler";  // pods whose spec.schedulerName says so
  std::size_t bindings_in_flight_max = 256;
  // Informers to share with others of the same process; null: its own.
  client::InformerFactory* informers = nullptr;
};

// Binds every pod that names it to a node. Decides from informer caches, writes only bindings,
// PodScheduled conditions and events; asks nothing of the API while nothing changes. One executor;
// start() once, and stop() before destruction.
class Scheduler {
 public:
  Scheduler(client::ApiClient& client, base::Clock& clock, base::Random& random,
            base::Executor executor, SchedulerOptions options);
  ~Scheduler();

  void start();
  base::Task<> stop();

  // Pods without a node that this scheduler knows of.
  std::size_t pending() const { return queue_.size(); }

 private:
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void on_node(const api::ObjectPtr& before, const api::ObjectPtr& after);
  void forget(const api::Object& pod);
  bool is_ours(const api::Object& pod) const;
  void wake(ReasonSet reasons);

  base::Task<> run();
  void schedule(const PodFactsPtr& pod);
  base::Task<> bind(PodFactsPtr pod, std::string node);
  base::Task<> report(PodFactsPtr pod, std::string message);
  void reject(const PodFactsPtr& pod, ReasonSet reasons, std::string message);

  client::ApiClient& client_;
  base::Clock& clock_;
  base::Random& random_;
  const SchedulerOptions options_;
  base::TaskGroup tasks_;
  std::unique_ptr<client::InformerFactory> own_informers_;
  client::InformerFactory& informers_;
  client::Informer& pods_;
  client::Informer& nodes_;
  client::EventRecorder events_;

  ClusterState state_;
  SchedulingQueue queue_;
  std::size_t search_start_ = 0;
  std::size_t in_flight_ = 0;
  base::Event changed_;
  client::Alarm alarm_;
};

}  // namespace koi::scheduler
