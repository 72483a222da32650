#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/node_status.h"
#include "base/event.h"
#include "base/task.h"
#include "client/events.h"
#include "client/informer.h"

namespace koi::agent {

// Keeps this machine's Node object true: registers it, renews its lease, writes its status when
// something changed or five minutes have passed, and starts the pod network once the node has a
// range of addresses. One executor.
class NodeKeeper {
 public:
  // `network_ready` is called once, when pods may be attached.
  NodeKeeper(AgentDoors& doors, const AgentOptions& options, client::EventRecorder& events,
             const base::Executor& executor, std::function<void()> network_ready);

  // Runs until cancelled. All tasks in `tasks`.
  void start(base::TaskGroup& tasks);

  // Looks at the facts again soon: images came or went.
  void touch();

  bool is_ready() const { return ready_posted_; }
  base::Task<> wait_ready();

 private:
  base::Task<> run();
  base::Task<> run_timer();
  base::Task<> keep_lease();
  base::Task<base::Result<>> sync();
  base::Task<base::Result<api::ObjectPtr>> register_node();
  base::Task<base::Result<api::ObjectPtr>> fix_labels(api::ObjectPtr node);
  base::Task<base::Result<>> write_status(const api::ObjectPtr& node);
  void report(std::string_view reason, const std::string& message);
  void start_network(const api::Object& node);
  api::ObjectPtr known() const;

  AgentDoors& doors_;
  const AgentOptions& options_;
  client::EventRecorder& events_;
  std::function<void()> network_ready_;
  SystemInfo system_;
  client::Informer informer_;
  base::Event changed_;
  base::Event ready_event_;
  base::Event registered_event_;
  bool dirty_ = true;
  bool network_started_ = false;
  std::string network_problem_ = "the node has no range of pod addresses yet";
  api::ObjectPtr node_;  // as last read or written
  bool registered_ = false;
  bool ready_posted_ = false;
  bool status_written_ = false;
  base::MonoTime written_at_;
  json::Value written_;   // the status as last sent
  json::Value answered_;  // the status that the API made of it
};

}  // namespace koi::agent
