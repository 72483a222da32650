#pragma once

#include <boost/asio/io_context.hpp>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/task.h"
#include "client/memory_client.h"
#include "testing/sim_clock.h"
#include "testing/sim_random.h"

namespace koi::client {

// An API in memory, simulated time and the loop that runs both. For tests only.
struct TestWorld {
  boost::asio::io_context io;
  testing::SimClock clock{base::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1))};
  testing::SimRandom random{1};
  base::TaskGroup tasks{io.get_executor()};
  MemoryClient api{io.get_executor(), clock, random};

  TestWorld() = default;
  TestWorld(const TestWorld&) = delete;
  TestWorld& operator=(const TestWorld&) = delete;
  ~TestWorld() { end(); }

  // Ends every task. Who declares objects after the world whose tasks run in it calls this first.
  void end() {
    io.restart();
    tasks.cancel();
    io.poll();
  }

  // Runs everything that can run now.
  void settle() { testing::run_ready(io); }

  // Lets simulated time pass, running what becomes due on the way.
  void advance(base::Duration duration) {
    settle();
    const auto end = clock.now() + duration;
    while (clock.next_deadline() <= end) {
      clock.advance_to_next();
      settle();
    }
    clock.advance(end - clock.now());
    settle();
  }

  // Runs the task to its end without letting time pass.
  template <class T>
  T await(base::Task<T> task) {
    std::optional<T> result;
    tasks.spawn("await", store(std::move(task), result));
    settle();
    CHECK_THAT(result.has_value(), "an awaited task did not end");
    return std::move(*result);
  }
  void await(base::Task<> task) {
    bool done = false;
    tasks.spawn("await", mark(std::move(task), done));
    settle();
    CHECK_THAT(done, "an awaited task did not end");
  }

 private:
  template <class T>
  static base::Task<> store(base::Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  static base::Task<> mark(base::Task<> task, bool& done) {
    co_await std::move(task);
    done = true;
  }
};

}  // namespace koi::client
