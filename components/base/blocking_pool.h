#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/task.h"

namespace koi::base {

// A small named pool of threads for work that blocks (fsync, unpack, mount). With zero threads the
// work runs inline, which is what a simulation wants.
class BlockingPool {
 public:
  BlockingPool(std::string name, std::size_t threads);
  // Waits for work that has begun.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` on a pool thread and resumes the caller on its own executor. Not cancellable once
  // begun: what it captures lives until it returns.
  template <class Work>
  Task<std::invoke_result_t<Work>> run(Work work) {
    using Value = std::invoke_result_t<Work>;
    std::exception_ptr failure;
    if constexpr (std::is_void_v<Value>) {
      auto guarded = [&] { guard(failure, work); };
      co_await run_erased(std::move(guarded));
      if (failure) std::rethrow_exception(failure);
    } else {
      std::optional<Value> value;
      auto store = [&] { value.emplace(work()); };
      auto guarded = [&] { guard(failure, store); };
      co_await run_erased(std::move(guarded));
      if (failure) std::rethrow_exception(failure);
      co_return std::move(*value);
    }
  }

 private:
  template <class Work>
  static void guard(std::exception_ptr& failure, Work& work) {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }

  Task<> run_erased(std::function<void()> work);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::base
