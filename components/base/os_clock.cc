#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/os.h"

namespace koi::base {

namespace {

class OsClock final : public Clock {
 public:
  WallTime wall_now() const override {
    return std::chrono::floor<Duration>(std::chrono::system_clock::now());
  }
  MonoTime now() const override {
    return std::chrono::floor<Duration>(std::chrono::steady_clock::now());
  }
  Task<> sleep_until(MonoTime deadline) override {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, deadline);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
};

}  // namespace

std::unique_ptr<Clock> make_os_clock() { return std::make_unique<OsClock>(); }

}  // namespace koi::base
