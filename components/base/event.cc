#include "base/event.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace koi::base {

namespace asio = boost::asio;

Event::Event(const Executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

Task<> Event::wait() {
  const auto before = generation_;
  boost::system::error_code error;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (generation_ == before) throw boost::system::system_error(asio::error::operation_aborted);
}

void Event::notify_all() {
  ++generation_;
  timer_.cancel();
}

}  // namespace koi::base
