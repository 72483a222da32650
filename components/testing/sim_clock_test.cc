#include "testing/sim_clock.h"

#include <doctest/doctest.h>

namespace koi::testing {

namespace {

base::Task<> tick(SimClock& clock, int& ticks) {
  for (;;) {
    co_await clock.sleep_until(clock.now() + std::chrono::seconds(10));
    ++ticks;
  }
}

base::Task<> stop(base::TaskGroup& group) { co_await group.stop(); }

}  // namespace

TEST_CASE("sleepers wake in simulated time and leave when cancelled") {
  boost::asio::io_context io;
  SimClock clock(base::WallTime{});
  base::TaskGroup group(io.get_executor());
  base::TaskGroup outer(io.get_executor());
  int ticks = 0;
  group.spawn("tick", tick(clock, ticks));
  CHECK(run_until(io, clock, std::chrono::hours(1), [&] { return ticks == 5; }));
  CHECK(clock.now() == base::MonoTime{std::chrono::seconds(50)});
  outer.spawn("stop", stop(group));
  run_ready(io);
  CHECK(clock.next_deadline() == base::MonoTime::max());
}

}  // namespace koi::testing
