#include "base/blocking_pool.h"

#include <pthread.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>
#include <vector>

namespace koi::base {

namespace asio = boost::asio;

struct BlockingPool::Impl {
  asio::io_context pool;
  asio::executor_work_guard<asio::io_context::executor_type> open{pool.get_executor()};
  std::vector<std::thread> threads;
};

BlockingPool::BlockingPool(std::string name, std::size_t threads)
    : impl_(std::make_unique<Impl>()) {
  for (std::size_t i = 0; i < threads; ++i) {
    impl_->threads.emplace_back([&pool = impl_->pool, name] {
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      pool.run();
    });
  }
}

BlockingPool::~BlockingPool() {
  impl_->open.reset();
  for (std::thread& thread : impl_->threads) thread.join();
}

Task<> BlockingPool::run_erased(std::function<void()> work) {
  if (impl_->threads.empty()) {
    work();
    co_return;
  }
  auto& pool = impl_->pool;
  const Executor caller = co_await asio::this_coro::executor;
  // Tracked, so that the caller's io_context does not run dry while the work is elsewhere. The work
  // refers to the caller's frame; no cancellation reaches this await, so the frame outlives it.
  const Executor executor = asio::prefer(caller, asio::execution::outstanding_work.tracked);
  auto initiate = [&pool, &work, executor](auto handler) {
    auto job = [&work, executor, done = std::move(handler)]() mutable {
      work();
      asio::post(executor, std::move(done));
    };
    asio::post(pool, std::move(job));
  };
  co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(std::move(initiate),
                                                                       asio::use_awaitable);
}

}  // namespace koi::base
