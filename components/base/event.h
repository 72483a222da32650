#pragma once

#include <boost/asio/steady_timer.hpp>

#include "base/task.h"
#include "base/time.h"

namespace koi::base {

// A place where tasks wait for something to change. Waiters re-check their condition after waking:
// a wake-up is a hint. One executor; all calls on it.
class Event {
 public:
  explicit Event(const Executor& executor);

  // Waits for the next notify. Throws operation_aborted when the calling task is cancelled.
  Task<> wait();

  // Wakes every task that waits now.
  void notify_all();

 private:
  boost::asio::steady_timer timer_;
  std::uint64_t generation_ = 0;
};

}  // namespace koi::base
