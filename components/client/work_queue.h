#pragma once

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/event.h"
#include "base/task.h"
#include "base/time.h"
#include "client/alarm.h"

namespace koi::client {

struct WorkQueueOptions {
  std::string name{};
  std::size_t workers = 1;
  base::Duration back_off_min = std::chrono::milliseconds(5);
  base::Duration back_off_max = std::chrono::minutes(5);
};

// Keys to work on. A key waits at most once, is never worked on by two workers at a time, and one
// that is added while it is worked on comes up again afterwards. A key whose work fails comes up
// again after a delay that doubles. No timer runs while no key is delayed. All calls on the
// executor of the task group, whose stop() ends the workers and which must outlive nothing of this.
class WorkQueue {
 public:
  using Work = std::function<base::Task<base::Result<>>(std::string key)>;

  WorkQueue(base::TaskGroup& tasks, base::Clock& clock, WorkQueueOptions options);

  void add(std::string key);
  // Adds the key once the delay has passed; an earlier pending delay of the key stands.
  void add_after(std::string key, base::Duration delay);

  // Starts the workers.
  void start(Work work);

  // Keys that wait, not counting delayed ones.
  std::size_t size() const { return ready_.size(); }
  // True when nothing waits, is delayed or is worked on.
  bool is_idle() const { return queued_.empty() && working_.empty() && delays_.empty(); }

 private:
  base::Task<> run_worker();
  base::Task<base::Result<>> attempt(const std::string& key);
  void add_due();
  void finish(const std::string& key, const base::Result<>& outcome);

  base::TaskGroup& tasks_;
  base::Clock& clock_;
  const WorkQueueOptions options_;
  Work work_;

  base::Event changed_;
  std::deque<std::string> ready_;
  std::unordered_set<std::string> queued_;  // in ready_, or to be put there after working_
  std::unordered_set<std::string> working_;
  std::unordered_map<std::string, int> failures_;
  std::unordered_map<std::string, base::MonoTime> delays_;
  std::set<std::pair<base::MonoTime, std::string>> deadlines_;
  Alarm alarm_;
};

}  // namespace koi::client
