#pragma once

#include <functional>

#include "base/task.h"
#include "base/time.h"

namespace koi::http {

// A deadline that moves often and is rarely met: moving it later costs nothing, since the task that
// sleeps looks again when it wakes. One executor.
class Watchdog {
 public:
  // `expired` runs once per deadline that was met. Sleeps in tasks of the group, which must end
  // before this is destroyed.
  Watchdog(base::Clock& clock, base::TaskGroup& tasks, std::function<void()> expired);

  void arm(base::Duration from_now);
  void disarm() { deadline_ = base::MonoTime::max(); }
  // From now on arm() does nothing.
  void stop() { stopped_ = true; }

 private:
  base::Task<> sleep(base::MonoTime until);

  base::Clock& clock_;
  base::TaskGroup& tasks_;
  std::function<void()> expired_;
  base::MonoTime deadline_ = base::MonoTime::max();
  bool stopped_ = false;
  base::MonoTime wakes_at_ = base::MonoTime::max();  // the earliest sleeper
};

}  // namespace koi::http
