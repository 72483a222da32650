#include "client/alarm.h"

#include <utility>

namespace koi::client {

Alarm::Alarm(base::TaskGroup& tasks, base::Clock& clock, std::string name,
             std::function<void()> callback)
    : tasks_(tasks), clock_(clock), name_(std::move(name)), callback_(std::move(callback)) {}

void Alarm::set(base::MonoTime moment) {
  moments_.insert(moment);
  arm();
}

void Alarm::arm() {
  if (moments_.empty()) return;
  const auto first = *moments_.begin();
  if (!sleeping_.empty() && *sleeping_.begin() <= first) return;
  sleeping_.insert(first);
  tasks_.spawn(name_, run(first));
}

base::Task<> Alarm::run(base::MonoTime moment) {
  co_await clock_.sleep_until(moment);
  sleeping_.erase(sleeping_.find(moment));
  const auto now = clock_.now();
  const bool due = !moments_.empty() && *moments_.begin() <= now;
  moments_.erase(moments_.begin(), moments_.upper_bound(now));
  if (due) callback_();
  arm();
}

}  // namespace koi::client
