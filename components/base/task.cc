#include "base/task.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <list>
#include <vector>

#include "base/check.h"
#include "base/event.h"
#include "base/log.h"

namespace koi::base {

namespace asio = boost::asio;

struct TaskGroup::State {
  explicit State(Executor e) : executor(std::move(e)), idle(executor) {}

  struct Running {
    std::string name;
    asio::cancellation_signal signal;
  };

  Executor executor;
  std::list<Running> running;
  Event idle;
  bool stopping = false;
};

namespace {

bool is_cancellation(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (const asio::multiple_exceptions& error) {
    // What a pair of awaited alternatives throws when both were cancelled.
    return is_cancellation(error.first_exception());
  } catch (...) {
    return false;
  }
}

std::string describe(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

// A task that is cancelled and ends before it ever waited would make co_spawn itself throw and
// never report the end.
Task<> contained(Task<> task) {
  std::exception_ptr failure;
  try {
    co_await std::move(task);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

TaskGroup::TaskGroup(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

TaskGroup::~TaskGroup() {
  CHECK_THAT(state_->running.empty(), "a task group was destroyed while its tasks ran");
}

void TaskGroup::spawn(std::string name, Task<> task) {
  if (state_->stopping) return;
  auto& running = state_->running;
  running.emplace_back();
  const auto entry = std::prev(running.end());
  entry->name = std::move(name);
  auto finished = [state = state_, entry](const std::exception_ptr& failure) {
    if (failure && !is_cancellation(failure)) {
      log::error("task.failed", {{"task", entry->name}, {"error", describe(failure)}});
    }
    state->running.erase(entry);
    if (state->running.empty()) state->idle.notify_all();
  };
  asio::co_spawn(state_->executor, contained(std::move(task)),
                 asio::bind_cancellation_slot(entry->signal.slot(), std::move(finished)));
}

void TaskGroup::cancel() {
  // A handler may erase its entry while the signal is emitted, so walk a copy of the positions.
  std::vector<State::Running*> entries;
  for (auto& entry : state_->running) entries.push_back(&entry);
  for (auto* entry : entries) {
    const bool alive = std::any_of(state_->running.begin(), state_->running.end(),
                                   [entry](const auto& other) { return &other == entry; });
    if (alive) entry->signal.emit(asio::cancellation_type::terminal);
  }
}

Task<> TaskGroup::stop() {
  co_await ignore_cancellation();
  const auto state = state_;
  state->stopping = true;
  cancel();
  while (!state->running.empty()) co_await state->idle.wait();
}

Task<> TaskGroup::wait_idle() {
  const auto state = state_;
  while (!state->running.empty()) co_await state->idle.wait();
}

std::size_t TaskGroup::size() const { return state_->running.size(); }

const Executor& TaskGroup::executor() const { return state_->executor; }

Task<Executor> current_executor() { co_return co_await asio::this_coro::executor; }

Task<> yield_now() { co_await asio::post(asio::use_awaitable); }

Task<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

Task<> ignore_cancellation() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

}  // namespace koi::base
