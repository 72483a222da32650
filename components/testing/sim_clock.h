#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>

#include "base/time.h"

namespace koi::testing {

// Time that stands still until the test moves it. One executor.
class SimClock final : public base::Clock {
 public:
  // Starts at the wall time given.
  explicit SimClock(base::WallTime start);

  base::WallTime wall_now() const override { return wall_; }
  base::MonoTime now() const override { return now_; }
  base::Task<> sleep_until(base::MonoTime deadline) override;

  // Jumps to the earliest deadline that a task sleeps for; false when none sleeps.
  bool advance_to_next();
  // Moves time on by this much, waking who is due in order.
  void advance(base::Duration duration);
  // Sets the wall clock alone, as an operator or NTP would; sleeping tasks notice nothing.
  void set_wall(base::WallTime wall) { wall_ = wall; }
  // The earliest deadline, or MonoTime::max().
  base::MonoTime next_deadline() const;

 private:
  struct Sleeper {
    boost::asio::steady_timer timer;
    bool due = false;
  };
  void move_to(base::MonoTime time);

  base::WallTime wall_;
  base::MonoTime now_{};
  std::multimap<base::MonoTime, std::shared_ptr<Sleeper>> sleepers_;
};

// Runs everything that is ready, without moving time.
void run_ready(boost::asio::io_context& io);

// Runs until nothing is ready, then jumps to the next deadline, and again, until `done` holds or
// `horizon` of simulated time has passed. Returns whether `done` held.
template <class Done>
bool run_until(boost::asio::io_context& io, SimClock& clock, base::Duration horizon, Done done) {
  const base::MonoTime end = clock.now() + horizon;
  for (;;) {
    run_ready(io);
    if (done()) return true;
    if (clock.next_deadline() > end) return false;
    clock.advance_to_next();
  }
}

}  // namespace koi::testing
