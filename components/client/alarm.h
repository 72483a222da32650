#pragma once

#include <functional>
#include <set>
#include <string>

#include "base/task.h"
#include "base/time.h"

namespace koi::client {

// Calls back when a moment has come. Several moments may be set; each is honoured, and one set
// while an earlier one is pending costs nothing. No timer runs while none is set. The callback may
// set the next. All calls on the executor of the task group, whose stop() ends it.
class Alarm {
 public:
  Alarm(base::TaskGroup& tasks, base::Clock& clock, std::string name,
        std::function<void()> callback);

  void set(base::MonoTime moment);

 private:
  base::Task<> run(base::MonoTime moment);
  void arm();

  base::TaskGroup& tasks_;
  base::Clock& clock_;
  const std::string name_;
  const std::function<void()> callback_;
  std::set<base::MonoTime> moments_;
  std::multiset<base::MonoTime> sleeping_;  // a task each
};

}  // namespace koi::client
