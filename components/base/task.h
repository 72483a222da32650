#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace koi::base {

using Executor = boost::asio::any_io_executor;

// A coroutine that starts when it is awaited or spawned in a TaskGroup.
template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

// The owner of running tasks. Every coroutine of koi runs in a group: stop() cancels all and
// returns when the last has ended; a group that is destroyed while busy aborts the program.
// All calls are made on the group's executor (or before it runs).
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts a task under a name that logs and errors carry. A task that ends with an exception
  // other than cancellation is logged as "task.failed". Nothing starts once stop() was called.
  void spawn(std::string name, Task<> task);

  // Asks every task to end, without waiting.
  void cancel();

  // Cancels and waits until every task has ended. From here on no task touches its captures.
  Task<> stop();

  // Waits until no task is running, without cancelling any.
  Task<> wait_idle();

  std::size_t size() const;
  const Executor& executor() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The executor that the calling coroutine runs on.
Task<Executor> current_executor();

// Lets everything else that is ready run first. Long loops call it so that none starves.
Task<> yield_now();

// True when the calling coroutine was asked to stop.
Task<bool> is_cancelled();

// Makes cleanup code that awaits possible after a cancellation: later awaits of the calling task
// no longer throw.
Task<> ignore_cancellation();

}  // namespace koi::base
