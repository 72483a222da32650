#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/options.h"
#include "base/task.h"
#include "json/value.h"

namespace koi::agent {

// Where the log of one container is, and whether more may come.
struct ContainerLog {
  base::Path path;
  bool running = false;
};

// The node agent: registers its node, keeps its lease, and runs the pods that are bound to it. What
// it starts outlives it: a new agent on the same data directory adopts every running container.
// Single executor; all calls on it.
class Agent {
 public:
  Agent(AgentDoors doors, AgentOptions options, base::Executor executor);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Begins to work. Returns at once.
  void start();
  // Ends the agent's tasks; pods go on. Called once, before destruction, if start() was.
  base::Task<> stop();

  // Tells that an image was imported or removed: pods that wait for one look again.
  void images_changed();

  // True once the node is registered and posted Ready.
  bool is_ready() const;
  // Waits for is_ready().
  base::Task<> wait_ready();

  // The pods of this node as the agent sees them now.
  std::vector<json::Value> pods() const;

  // Where a container's log is. `previous` asks for the run before the present one. Fails with
  // not_found or invalid in the words of upstream.
  base::Result<ContainerLog> find_log(const std::string& name_space, const std::string& pod,
                                      const std::string& container, bool previous) const;

  // Calls back whenever a container started or ended or a pod went away, until the result is
  // destroyed. It may outlive the agent.
  std::shared_ptr<void> on_containers_changed(std::function<void()> callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::agent
