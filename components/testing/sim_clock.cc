#include "testing/sim_clock.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace koi::testing {

namespace asio = boost::asio;

SimClock::SimClock(base::WallTime start) : wall_(start) {}

base::Task<> SimClock::sleep_until(base::MonoTime deadline) {
  if (deadline <= now_) {
    co_await base::yield_now();
    co_return;
  }
  const auto executor = co_await base::current_executor();
  auto sleeper = std::make_shared<Sleeper>(
      Sleeper{asio::steady_timer(executor, asio::steady_timer::time_point::max())});
  const auto place = sleepers_.emplace(deadline, sleeper);
  boost::system::error_code error;
  co_await sleeper->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (sleeper->due) co_return;
  sleepers_.erase(place);
  throw boost::system::system_error(asio::error::operation_aborted);
}

base::MonoTime SimClock::next_deadline() const {
  return sleepers_.empty() ? base::MonoTime::max() : sleepers_.begin()->first;
}

void SimClock::move_to(base::MonoTime time) {
  wall_ += time - now_;
  now_ = time;
  while (!sleepers_.empty() && sleepers_.begin()->first <= now_) {
    const auto sleeper = sleepers_.begin()->second;
    sleepers_.erase(sleepers_.begin());
    sleeper->due = true;
    sleeper->timer.cancel();
  }
}

bool SimClock::advance_to_next() {
  if (sleepers_.empty()) return false;
  move_to(sleepers_.begin()->first);
  return true;
}

void SimClock::advance(base::Duration duration) { move_to(now_ + duration); }

void run_ready(asio::io_context& io) {
  do {
    io.restart();
  } while (io.poll() > 0);
}

}  // namespace koi::testing
