#include <algorithm>

#include "agent/pod_status.h"
#include "agent/pod_worker.h"
#include "base/log.h"
#include "client/object_key.h"

// Writing the pod's status, and its final deletion. Runs beside the worker's loop, so that a slow
// or absent API never keeps a container from being restarted.
namespace koi::agent {

namespace {

using base::Code;

constexpr base::Duration retry_min = std::chrono::milliseconds{500};
constexpr base::Duration retry_max = std::chrono::seconds{30};
constexpr int conflicts_max = 8;

const client::Resource pods{"", "v1", "pods"};

// The part of a status that the agent answers for: conditions of others come and go without it.
bool any_running(const PodObserved& seen) {
  return std::ranges::any_of(seen.containers,
                             [](const auto& entry) { return entry.second.running(); });
}

const json::Value& status_of(const api::Object& pod) {
  static const json::Value none = json::Object{};
  const auto* status = json::find(pod.value(), {"status"});
  return status ? *status : none;
}

}  // namespace

void PodWorker::absorb(const api::ObjectPtr& pod) {
  if (pod->uid() != pod_.uid) return;
  if (client::revision_of(*pod) < client::revision_of(*pod_.object)) return;
  pod_ = view_pod(pod);
  const auto phase = json::string_at(pod->value(), {"status", "phase"});
  if (is_terminal_phase(phase)) seen_.terminal_phase = phase;
}

json::Value PodWorker::make_status() const {
  StatusFacts facts;
  facts.host_ip = context_.options.node_ip;
  facts.now = now().wall;
  return build_status(pod_, seen_, status_of(*pod_.object), facts);
}

json::Value PodWorker::current() const {
  json::Value pod = pod_.value();
  json::set(pod, {"status"}, make_status());
  return pod;
}

base::Task<> PodWorker::sync_status() {
  base::Duration delay = retry_min;
  for (;;) {
    while (!status_dirty_ || status_held_) co_await status_changed_.wait();
    status_dirty_ = false;
    const bool done = seen_.removed || (co_await write_status() && co_await finish_deletion());
    if (done) {
      delay = retry_min;
      continue;
    }
    status_dirty_ = true;
    co_await context_.doors.clock.sleep_for(delay);
    delay = std::min(delay * 2, retry_max);
  }
}

// Brings the API's status up to what is observed. False when the API could not be written.
base::Task<bool> PodWorker::write_status() {
  const bool all_ended = seen_.end_began && !any_running(seen_);
  auto status = make_status();
  const auto& known = status_of(*pod_.object);
  // The API may shape a status its own way: what was answered to the same status needs no repeat.
  const bool same = status == known || (status == written_ && known == answered_);
  if (!same) {
    auto done = co_await put_status(std::move(status));
    if (!done && done.error().code != Code::not_found) {
      base::log::warn("pod.status_not_written", {{"pod", pod_.name},
                                                 {"namespace", pod_.name_space},
                                                 {"error", done.error().message},
                                                 {"next", "trying again"}});
      co_return false;
    }
    if (!done) {
      remove();
      co_return true;
    }
  }
  if (all_ended && !seen_.final_status_saved) {
    seen_.final_status_saved = true;
    notify();
  }
  co_return true;
}

base::Task<base::Result<>> PodWorker::put_status(json::Value status) {
  const auto ref = client::ref_of(pods, *pod_.object, "status");
  for (int attempt = 0; attempt < conflicts_max; ++attempt) {
    json::Value body = pod_.value();
    json::set(body, {"status"}, status);
    auto answer = co_await context_.doors.api.update(ref, std::move(body));
    if (answer) {
      written_ = std::move(status);
      answered_ = status_of(**answer);
      absorb(*answer);
      co_return base::Result<>{};
    }
    if (answer.error().code != Code::conflict) co_return base::fail(std::move(answer).error());
    const auto object_ref = client::ref_of(pods, *pod_.object);
    auto fresh = co_await context_.doors.api.get(object_ref);
    if (!fresh) co_return base::fail(std::move(fresh).error());
    if ((*fresh)->uid() != pod_.uid) co_return base::fail(Code::not_found, "the pod was replaced");
    absorb(*fresh);
    status = make_status();
  }
  co_return base::fail(Code::conflict, "the pod changes faster than its status can be written");
}

// Takes a deleted pod out of the API once nothing of it is left here.
base::Task<bool> PodWorker::finish_deletion() {
  if (!pod_.deleted || !seen_.torn_down || deleted_from_api_) co_return true;
  const auto ref = client::ref_of(pods, *pod_.object);
  client::DeleteOptions options;
  options.grace_period_seconds = 0;
  options.precondition_uid = pod_.uid;
  auto done = co_await context_.doors.api.remove(ref, options);
  const bool gone =
      done || done.error().code == Code::not_found || done.error().code == Code::conflict;
  if (!gone) {
    base::log::warn("pod.not_deleted", {{"pod", pod_.name},
                                        {"namespace", pod_.name_space},
                                        {"error", done.error().message},
                                        {"next", "trying again"}});
    co_return false;
  }
  deleted_from_api_ = true;
  notify();
  co_return true;
}

}  // namespace koi::agent
