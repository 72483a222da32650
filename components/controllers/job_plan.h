#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/time.h"

namespace koi::controllers {

// Pods of a Job carry it until they are counted, so that none is lost or counted twice.
inline constexpr std::string_view job_tracking_finalizer = "batch.kubernetes.io/job-tracking";

struct JobFacts {
  const json::Value& job;
  std::vector<api::ObjectPtr> pods{};  // all that it controls
  base::WallTime now{};
};

struct JobEvent {
  bool is_warning = false;
  std::string reason{};
  std::string message{};
};

struct JobPlan {
  std::size_t create = 0;
  std::vector<api::ObjectPtr> remove{};
  json::Value status{};
  // Pods to take the tracking finalizer off, once the status is written.
  std::vector<api::ObjectPtr> untrack{};
  bool remove_job = false;
  std::optional<base::WallTime> check_again{};
  std::vector<JobEvent> events{};  // once the status is written
};

// Why koi does not run this Job; empty where it does.
std::string job_refusal(const json::Value& job);

// The next step. Finished pods go from "not counted" (finalizer) over "being counted" (named in
// status.uncountedTerminatedPods) to counted (finalizer gone, in the sums).
JobPlan plan_job(const JobFacts& facts);

}  // namespace koi::controllers
