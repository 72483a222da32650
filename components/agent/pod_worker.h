#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/observed.h"
#include "agent/options.h"
#include "agent/paths.h"
#include "agent/plan.h"
#include "agent/probe_spec.h"
#include "agent/reference_cache.h"
#include "agent/volume_content.h"
#include "base/event.h"
#include "client/events.h"
#include "images/image_store.h"

namespace koi::agent {

// What the workers of one agent share. Outlives them.
struct WorkerContext {
  AgentDoors& doors;
  const AgentOptions& options;
  AgentPaths paths;
  client::EventRecorder& events;
  ReferenceCache& references;
  const client::Informer& services;
  base::Executor executor;
  bool network_started = false;   // pods may be attached
  std::int64_t memory_bytes = 0;  // of the node
  std::int64_t cpu_milli = 0;
  std::int64_t storage_bytes = 0;
};

// Runs one pod on this node, from its binding to its end: performs what plan_sync() decides, and
// writes the pod's status. One per pod uid; all calls on the agent's executor. Never writes to disk
// or starts anything outside run().
class PodWorker {
 public:
  // `running` is what the runtime already has of the pod.
  PodWorker(WorkerContext& context, api::ObjectPtr pod,
            const std::optional<runtime::PodState>& running);

  // Returns once nothing of the pod is left on the node and in the API. Cancelling it leaves the
  // pod as it is; stop() follows then.
  base::Task<> run();
  // Ends what run() has begun. Not cancellable.
  base::Task<> stop();

  // News, from the API and from the runtime.
  void update(const api::ObjectPtr& pod);
  void remove();
  void container_exited(const runtime::ContainerState& container);
  void sandbox_lost();
  void reference_changed(const ReferenceKey& key);
  void images_changed();
  void network_changed();

  const api::ObjectPtr& pod() const { return pod_.object; }
  const PodObserved& observed() const { return seen_; }
  // The pod as the agent sees it now: the API's object with the newest status.
  json::Value current() const;

 private:
  base::Task<> live();
  base::Task<> perform(const Action& action);
  Now now() const;
  void notify();
  void arm(std::optional<base::MonoTime> at);
  base::Task<> alarm(base::MonoTime at);
  bool is_done() const;
  bool is_settled() const;

  // Steps, in the order of a pod's life.
  base::Task<> prepare_volumes();
  base::Task<base::Result<>> fill_volumes(const PodView& pod);
  base::Task<> refresh_volumes();
  base::Task<base::Result<bool>> gather_inputs(const PodView& pod);
  base::Task<base::Result<>> request_token(const PodView& pod, const TokenRequest& request);
  base::Task<> start_sandbox();
  base::Task<> attach_network();
  base::Task<base::Result<>> write_pod_files(const PodView& pod);
  base::Task<> start_container(const std::string& name);
  base::Task<base::Result<runtime::ContainerSpec>> make_spec(const PodView& pod,
                                                             const ContainerView& container,
                                                             const images::Image& image);
  base::Task<base::Result<>> make_sub_paths(const runtime::ContainerSpec& spec, const PodView& pod);
  void container_started(const ContainerView& container, const runtime::ContainerState& started);
  void back_off_restart(const action::BackOff& step);
  void begin_stop(const action::BeginStop& step);
  base::Task<> send_signal(const action::Signal& step);
  base::Task<> tear_down();
  base::Task<> remove_logs();
  base::Task<> read_log_messages();
  base::Task<> drop_old_attempt(std::string name, std::string id, std::uint32_t attempt);

  // Images.
  std::optional<images::Image> find_image(const ContainerView& container);
  void image_missing(const ContainerView& container);

  // Hooks and probes; they end with the run of their container.
  void begin_run(const ContainerView& container);
  void end_run(const std::string& name);
  base::Task<> retire(std::unique_ptr<base::TaskGroup> run);
  base::Task<> post_start(std::string name, std::string id);
  base::Task<> pre_stop(std::string name, std::string id, base::Duration grace);
  base::Task<> probe(std::string name, std::string id, ProbeKind kind);
  base::Task<ProbeOutcome> call(ActionTarget target, std::string container_id,
                                base::Duration timeout);
  bool probe_finding(const ContainerView& container, ProbeKind kind, const ProbeSpec& spec,
                     const ProbeOutcome& outcome, std::optional<bool> verdict);
  bool is_current(const std::string& name, const std::string& id) const;

  // Status.
  base::Task<> sync_status();
  base::Task<bool> write_status();
  base::Task<base::Result<>> put_status(json::Value status);
  base::Task<bool> finish_deletion();
  json::Value make_status() const;
  void absorb(const api::ObjectPtr& pod);

  // Reporting.
  void report(client::EventType type, std::string_view reason, std::string_view message);
  void report(const ContainerView& container, client::EventType type, std::string_view reason,
              std::string_view message);
  void set_up_failed(std::string_view reason, const std::string& message);
  void wait_container(const ContainerView& container, std::string_view reason,
                      const std::string& message, base::Duration delay);
  DownwardFacts downward_facts() const;

  WorkerContext& context_;
  PodView pod_;
  PodObserved seen_;
  base::TaskGroup tasks_;
  base::TaskGroup retired_;  // task groups on their way out; never cancelled

  base::Event changed_;
  bool dirty_ = true;
  std::set<base::MonoTime> alarms_;

  base::Path network_namespace_;
  bool sandbox_stale_ = false;  // something of an earlier sandbox may be left
  bool network_awaited_ = false;
  base::Duration set_up_delay_{};

  std::vector<ReferenceCache::Hold> holds_;
  ReferenceMap references_;
  std::map<TokenRequest, std::string> tokens_;
  std::optional<base::MonoTime> tokens_due_;  // when to ask for new ones
  bool volumes_stale_ = false;

  std::map<std::string, std::unique_ptr<base::TaskGroup>> runs_;  // hooks and probes, by container
  base::Event probe_event_;
  std::set<std::string> log_messages_due_;

  base::Event status_changed_;
  bool status_dirty_ = false;
  bool status_held_ = false;  // an adopted pod is still being looked at
  bool deleted_from_api_ = false;
  json::Value written_;   // the status as last sent
  json::Value answered_;  // the status that the API made of it
};

}  // namespace koi::agent
