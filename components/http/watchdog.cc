#include "http/watchdog.h"

namespace koi::http {

Watchdog::Watchdog(base::Clock& clock, base::TaskGroup& tasks, std::function<void()> expired)
    : clock_(clock), tasks_(tasks), expired_(std::move(expired)) {}

void Watchdog::arm(base::Duration from_now) {
  if (stopped_) return;
  deadline_ = clock_.now() + from_now;
  if (deadline_ >= wakes_at_) return;
  wakes_at_ = deadline_;
  tasks_.spawn("http.watchdog", sleep(deadline_));
}

base::Task<> Watchdog::sleep(base::MonoTime until) {
  for (;;) {
    try {
      co_await clock_.sleep_until(until);
    } catch (...) {
      stop();  // the group is being cancelled: a sleeper that began now would hold it up
      throw;
    }
    if (wakes_at_ != until) co_return;  // another one sleeps for the deadline
    if (deadline_ <= clock_.now()) {
      deadline_ = base::MonoTime::max();
      wakes_at_ = base::MonoTime::max();
      expired_();
      co_return;
    }
    wakes_at_ = deadline_;
    if (deadline_ == base::MonoTime::max()) co_return;
    until = deadline_;
  }
}

}  // namespace koi::http
