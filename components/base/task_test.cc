#include "base/task.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include "base/blocking_pool.h"
#include "base/event.h"
#include "base/os.h"

namespace koi::base {

namespace {

Task<> wait_forever(Event& event, bool& cancelled) {
  try {
    co_await event.wait();
  } catch (const std::exception&) {
    cancelled = true;
    throw;
  }
}

Task<> stop_group(TaskGroup& group, bool& stopped) {
  co_await group.stop();
  stopped = true;
}

Task<> add(BlockingPool& pool, int& sum) {
  auto work = [] { return 42; };
  sum += co_await pool.run(work);
}

Task<> cancel_group(TaskGroup& group) {
  group.cancel();
  co_return;
}

}  // namespace

TEST_CASE("a task that cancels its own group before it ever waited still ends") {
  boost::asio::io_context io;
  TaskGroup group(io.get_executor());
  group.spawn("suicidal", cancel_group(group));
  io.poll();
  CHECK(group.size() == 0);
}

TEST_CASE("stop cancels every task and waits for it") {
  boost::asio::io_context io;
  Event event(io.get_executor());
  TaskGroup group(io.get_executor());
  TaskGroup outer(io.get_executor());
  bool cancelled = false;
  bool stopped = false;
  group.spawn("waiter", wait_forever(event, cancelled));
  io.poll();
  CHECK(group.size() == 1);
  outer.spawn("stopper", stop_group(group, stopped));
  io.restart();
  io.poll();
  CHECK(cancelled);
  CHECK(stopped);
  CHECK(group.size() == 0);
}

TEST_CASE("a notified waiter goes on") {
  boost::asio::io_context io;
  Event event(io.get_executor());
  TaskGroup group(io.get_executor());
  bool cancelled = false;
  group.spawn("waiter", wait_forever(event, cancelled));
  io.poll();
  event.notify_all();
  io.restart();
  io.poll();
  CHECK_FALSE(cancelled);
  CHECK(group.size() == 0);
}

TEST_CASE("work on a pool resumes its caller on the caller's executor") {
  boost::asio::io_context io;
  BlockingPool threads("test", 2);
  BlockingPool inlined("test", 0);
  TaskGroup group(io.get_executor());
  int sum = 0;
  group.spawn("threads", add(threads, sum));
  group.spawn("inline", add(inlined, sum));
  io.run();
  CHECK(sum == 84);
}

}  // namespace koi::base
