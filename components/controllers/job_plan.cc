#include "controllers/job_plan.h"

#include <algorithm>
#include <set>

#include "client/object_key.h"
#include "controllers/collection_plan.h"
#include "controllers/delete_rank.h"
#include "controllers/deployment_status.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;
using client::text;

constexpr base::Duration back_off_first = 10s;
constexpr base::Duration back_off_max = 10min;
constexpr std::size_t burst_pods_max = 500;

bool has_succeeded(const api::Object& pod) {
  return json::string_at(pod.value(), {"status", "phase"}) == "Succeeded";
}

// Failed, or deleted before it ever got a node.
bool has_failed(const api::Object& pod) {
  if (json::string_at(pod.value(), {"status", "phase"}) == "Failed") return true;
  return pod.is_terminating() && json::string_at(pod.value(), {"spec", "nodeName"}).empty();
}

std::set<std::string> uids_at(const json::Value& job, std::string_view list) {
  std::set<std::string> uids;
  for (const auto& each : json::array_at(job, {"status", "uncountedTerminatedPods", list})) {
    uids.emplace(json::string_at(each, {}));
  }
  return uids;
}

json::Array as_array(const std::set<std::string>& uids) {
  json::Array list;
  for (const auto& uid : uids) list.push_back(text(uid));
  return list;
}

std::optional<base::WallTime> ended_at(const api::Object& pod) {
  std::optional<base::WallTime> last;
  for (const auto& status : json::array_at(pod.value(), {"status", "containerStatuses"})) {
    const auto at = time_at(status, {"state", "terminated", "finishedAt"});
    if (at && (!last || *at > *last)) last = at;
  }
  if (!last) last = time_at(pod.value(), {"metadata", "deletionTimestamp"});
  return last;
}

class JobPlanner {
 public:
  explicit JobPlanner(const JobFacts& facts) : facts_(facts), job_(facts.job) {
    const auto* status = json::find(job_, {"status"});
    plan_.status = status != nullptr && status->is_object() ? *status : json::Value(json::Object());
    for (const auto& pod : facts.pods) {
      if (is_pod_active(*pod)) active_.push_back(pod);
      if (pod->is_terminating() && !is_pod_finished(*pod)) ++terminating_;
    }
  }

  JobPlan plan() {
    count("succeeded", has_succeeded);
    count("failed", has_failed);
    if (is_finished()) {
      expire();
    } else if (json::find(job_, {"metadata", "deletionTimestamp"}) == nullptr) {
      if (json::bool_at(job_, {"spec", "suspend"})) {
        suspend();
      } else {
        work();
      }
    }
    write_counts();
    return std::move(plan_);
  }

 private:
  std::int64_t status_number(std::string_view name) const {
    return json::int_at(plan_.status, {name}, 0);
  }
  // Counted and being counted.
  std::int64_t total(std::string_view list) const {
    const auto& uncounted = json::array_at(plan_.status, {"uncountedTerminatedPods", list});
    return status_number(list) + static_cast<std::int64_t>(uncounted.size());
  }

  template <class HasEnded>
  void count(std::string_view list, HasEnded has_ended) {
    auto uncounted = uids_at(job_, list);
    std::set<std::string> tracked;
    for (const auto& pod : facts_.pods) {
      if (!has_finalizer(pod->value(), job_tracking_finalizer)) continue;
      tracked.emplace(pod->uid());
      if (!has_ended(*pod)) continue;
      uncounted.emplace(pod->uid());
      plan_.untrack.push_back(pod);
    }
    std::int64_t done = 0;
    for (auto at = uncounted.begin(); at != uncounted.end();) {
      if (tracked.contains(*at)) {
        ++at;
      } else {
        at = uncounted.erase(at);
        ++done;
      }
    }
    if (done > 0) json::set(plan_.status, {list}, status_number(list) + done);
    if (uncounted.empty()) {
      json::erase(plan_.status, {"uncountedTerminatedPods", list});
    } else {
      json::set(plan_.status, {"uncountedTerminatedPods", list}, as_array(uncounted));
    }
    json::ensure_object(plan_.status, {"uncountedTerminatedPods"});
  }

  const json::Value* condition(std::string_view type) const {
    for (const auto& each : json::array_at(plan_.status, {"conditions"})) {
      if (json::string_at(each, {"type"}) == type) return &each;
    }
    return nullptr;
  }
  bool holds(std::string_view type) const {
    const auto* found = condition(type);
    return found != nullptr && json::string_at(*found, {"status"}) == "True";
  }
  void set_condition(std::string_view type, bool is_true, std::string_view reason,
                     std::string_view message) {
    if (condition(type) != nullptr && holds(type) == is_true) return;
    const auto now = base::format_time(facts_.now);
    auto fresh = make_condition(type, is_true, reason, message, now);
    json::set(fresh, {"lastProbeTime"}, text(now));
    auto& conditions = json::ensure_array(plan_.status, {"conditions"});
    remove_condition(conditions, type);
    conditions.push_back(std::move(fresh));
  }

  bool is_finished() const { return holds("Complete") || holds("Failed"); }

  void work() {
    if (json::string_at(plan_.status, {"startTime"}).empty()) {
      json::set(plan_.status, {"startTime"}, text(base::format_time(facts_.now)));
    }
    if (condition("Suspended") != nullptr && holds("Suspended")) {
      set_condition("Suspended", false, "JobResumed", "Job resumed");
      plan_.events.push_back({.reason = "Resumed", .message = "Job resumed"});
    }
    if (judge_failure() || judge_success()) return;
    grow_or_shrink();
  }

  bool judge_failure() {
    const auto limit = json::int_at(job_, {"spec", "backoffLimit"}, 6);
    if (holds("FailureTarget")) {
      const auto* target = condition("FailureTarget");
      fail(std::string(json::string_at(*target, {"reason"})),
           std::string(json::string_at(*target, {"message"})));
      return true;
    }
    if (total("failed") > limit || restarts_exceed(limit)) {
      fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
      return true;
    }
    const auto deadline = json::int_at(job_, {"spec", "activeDeadlineSeconds"});
    const auto started = time_at(plan_.status, {"startTime"});
    if (!deadline || !started) return false;
    const auto ends = *started + std::chrono::seconds(*deadline);
    if (ends > facts_.now) {
      look_again(ends);
      return false;
    }
    fail("DeadlineExceeded", "Job was active longer than specified deadline");
    return true;
  }

  // With restartPolicy OnFailure it is containers that fail, not pods.
  bool restarts_exceed(std::int64_t limit) const {
    const auto policy = json::string_at(job_, {"spec", "template", "spec", "restartPolicy"});
    if (policy != "OnFailure") return false;
    std::int64_t restarts = 0;
    for (const auto& pod : active_) {
      for (const std::string_view list : {"containerStatuses", "initContainerStatuses"}) {
        for (const auto& each : json::array_at(pod->value(), {"status", list})) {
          restarts += json::int_at(each, {"restartCount"}, 0);
        }
      }
    }
    return limit == 0 ? restarts > 0 : restarts >= limit;
  }

  void fail(const std::string& reason, const std::string& message) {
    set_condition("FailureTarget", true, reason, message);
    plan_.remove = active_;
    if (!active_.empty() || terminating_ > 0) return;
    set_condition("Failed", true, reason, message);
    plan_.events.push_back({.is_warning = true, .reason = reason, .message = message});
    expire();
  }

  bool judge_success() {
    const auto completions = json::int_at(job_, {"spec", "completions"});
    const auto succeeded = total("succeeded");
    const bool reached = completions ? succeeded >= *completions : succeeded > 0 && active_.empty();
    if (!reached) return false;
    constexpr std::string_view reason = "CompletionsReached";
    constexpr std::string_view message = "Reached expected number of succeeded pods";
    set_condition("SuccessCriteriaMet", true, reason, message);
    plan_.remove = active_;
    if (!active_.empty() || terminating_ > 0) return true;
    set_condition("Complete", true, reason, message);
    json::set(plan_.status, {"completionTime"}, text(base::format_time(facts_.now)));
    plan_.events.push_back({.reason = "Completed", .message = "Job completed"});
    expire();
    return true;
  }

  void grow_or_shrink() {
    const auto parallelism = json::int_at(job_, {"spec", "parallelism"}, 1);
    const auto completions = json::int_at(job_, {"spec", "completions"});
    const auto succeeded = total("succeeded");
    const auto running = static_cast<std::int64_t>(active_.size());
    std::int64_t wanted = parallelism;
    if (completions) {
      wanted = std::min(parallelism, *completions - succeeded);
    } else if (succeeded > 0) {
      // One pod has found the work to be done: the others may end, none is added.
      wanted = std::min(parallelism, running);
    }
    if (running > wanted) {
      plan_.remove = choose_pods_to_delete(active_, active_,
                                           static_cast<std::size_t>(running - wanted), facts_.now);
      return;
    }
    if (running == wanted) return;
    const auto ready = back_off_end();
    if (ready && *ready > facts_.now) {
      look_again(*ready);
      return;
    }
    plan_.create = std::min(static_cast<std::size_t>(wanted - running), burst_pods_max);
  }

  // Pods that fail one after another are replaced later and later.
  std::optional<base::WallTime> back_off_end() const {
    std::optional<base::WallTime> last_failure;
    std::optional<base::WallTime> last_success;
    for (const auto& pod : facts_.pods) {
      auto& last = has_succeeded(*pod) ? last_success : last_failure;
      if (!has_succeeded(*pod) && !has_failed(*pod)) continue;
      const auto at = ended_at(*pod);
      if (at && (!last || *at > *last)) last = at;
    }
    if (!last_failure || (last_success && *last_success >= *last_failure)) return std::nullopt;
    const auto failures = std::clamp<std::int64_t>(total("failed"), 1, 8);
    return *last_failure +
           std::min<base::Duration>(back_off_first * (1 << (failures - 1)), back_off_max);
  }

  void suspend() {
    plan_.remove = active_;
    json::erase(plan_.status, {"startTime"});
    if (holds("Suspended")) return;
    set_condition("Suspended", true, "JobSuspended", "Job suspended");
    plan_.events.push_back({.reason = "Suspended", .message = "Job suspended"});
  }

  void expire() {
    const auto ttl = json::int_at(job_, {"spec", "ttlSecondsAfterFinished"});
    const auto* end = condition(holds("Complete") ? "Complete" : "Failed");
    if (!ttl || end == nullptr) return;
    const auto ended = time_at(*end, {"lastTransitionTime"});
    if (!ended) return;
    const auto due = *ended + std::chrono::seconds(*ttl);
    if (due <= facts_.now) {
      plan_.remove_job = true;
    } else {
      look_again(due);
    }
  }

  void look_again(base::WallTime when) {
    if (!plan_.check_again || when < *plan_.check_again) plan_.check_again = when;
  }

  void write_counts() {
    const auto put = [this](std::string_view name, std::int64_t count) {
      if (count > 0) {
        json::set(plan_.status, {name}, count);
      } else {
        json::erase(plan_.status, {name});
      }
    };
    const auto ready = std::count_if(active_.begin(), active_.end(),
                                     [](const auto& pod) { return is_pod_ready(*pod); });
    put("active", static_cast<std::int64_t>(active_.size()));
    json::set(plan_.status, {"ready"}, static_cast<std::int64_t>(ready));
    json::set(plan_.status, {"terminating"}, terminating_);
  }

  const JobFacts& facts_;
  const json::Value& job_;
  std::vector<api::ObjectPtr> active_;
  std::int64_t terminating_ = 0;
  JobPlan plan_;
};

}  // namespace

std::string job_refusal(const json::Value& job) {
  if (json::string_at(job, {"spec", "completionMode"}) == "Indexed") {
    return "koi does not support spec.completionMode 'Indexed' yet";
  }
  for (const std::string_view field :
       {"podFailurePolicy", "successPolicy", "backoffLimitPerIndex"}) {
    if (json::find(job, {"spec", field}) != nullptr) {
      return "koi does not support spec." + std::string(field) + " yet";
    }
  }
  return {};
}

JobPlan plan_job(const JobFacts& facts) { return JobPlanner(facts).plan(); }

}  // namespace koi::controllers
