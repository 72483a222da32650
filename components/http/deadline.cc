#include "http/deadline.h"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>

namespace koi::http {

namespace asio = boost::asio;
using base::Task;

namespace {

struct Race {
  base::TaskGroup& group;
  bool decided = false;
  std::exception_ptr failure;
};

Task<> run_racer(Race& race, Task<> task) {
  if (race.decided) co_return;
  std::exception_ptr failure;
  try {
    co_await std::move(task);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!race.decided) race.failure = failure;
  race.decided = true;
  race.group.cancel();
}

}  // namespace

Task<> wait_ended(base::TaskGroup& group) {
  bool cancelled = false;
  while (group.size() > 0) {
    if (cancelled) co_await asio::this_coro::throw_if_cancelled(false);
    try {
      co_await group.wait_idle();
    } catch (const boost::system::system_error&) {
      cancelled = true;
      group.cancel();
    }
  }
  if (!cancelled) co_return;
  co_await asio::this_coro::throw_if_cancelled(true);
  throw boost::system::system_error(asio::error::operation_aborted);
}

Task<> race(Task<> first, Task<> second) {
  base::TaskGroup group(co_await asio::this_coro::executor);
  Race race{.group = group, .decided = false, .failure = nullptr};
  group.spawn("race.first", run_racer(race, std::move(first)));
  group.spawn("race.second", run_racer(race, std::move(second)));
  co_await wait_ended(group);
  if (race.failure) std::rethrow_exception(race.failure);
}

namespace internal {

Task<> sleep_until(base::Clock& clock, base::MonoTime deadline) {
  co_await clock.sleep_until(deadline);
}

}  // namespace internal

}  // namespace koi::http
