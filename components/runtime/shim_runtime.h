#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/task.h"
#include "base/time.h"
#include "runtime/pod_runtime.h"

namespace koi::runtime {

struct ShimRuntimeOptions {
  base::Path root;  // the runtime's own directory; see paths.h
  std::string cgroup_parent = "kubepods";
  std::vector<std::string> shim_command = {"/proc/self/exe", "shim"};
};

// Runs pods by shim processes that outlive it. One per root directory. All calls on `executor`,
// which runs one thing at a time; what blocks is done on `pool`. stop() (or destroying it) only
// disconnects: pods go on, and the next instance finds them by list().
class ShimRuntime : public PodRuntime {
 public:
  ShimRuntime(base::Executor executor, base::BlockingPool& pool, base::Clock& clock,
              ShimRuntimeOptions options);
  ~ShimRuntime() override;

  base::Task<base::Result<PodState>> start_pod(const PodSandboxSpec& spec) override;
  base::Task<base::Result<ContainerState>> start_container(const std::string& pod_uid,
                                                           const ContainerSpec& spec) override;
  base::Task<base::Result<>> signal_container(const std::string& pod_uid,
                                              const std::string& container_id,
                                              int signal_number) override;
  base::Task<base::Result<>> remove_container(const std::string& pod_uid,
                                              const std::string& container_id) override;
  base::Task<base::Result<>> stop_pod(const std::string& pod_uid) override;
  base::Task<base::Result<ExecResult>> exec(const std::string& pod_uid,
                                            const std::string& container_id,
                                            const std::vector<std::string>& args,
                                            base::Duration deadline) override;
  base::Task<base::Result<ContainerStats>> stats(const std::string& pod_uid,
                                                 const std::string& container_id) override;
  base::Task<base::Result<std::vector<PodState>>> list() override;
  base::Task<RuntimeEvent> next_event() override;

  // Disconnects from every shim and waits until nothing of this object runs any more.
  base::Task<> stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Ends every process below the parent group, shims included, and removes the group: the last step
// of removing a node's pods, once none is listed any more. Blocks.
base::Result<> remove_cgroups(const std::string& cgroup_parent);

}  // namespace koi::runtime
