#include "controllers/batch.h"

#include <algorithm>
#include <exception>

namespace koi::controllers {

namespace {

base::Task<> perform(const Action& action, std::size_t index, base::Result<>& first_failure) {
  auto outcome = co_await action(index);
  if (!outcome && first_failure) first_failure = std::move(outcome);
}

}  // namespace

base::Task<> run_all(std::vector<base::Task<>> tasks) {
  base::TaskGroup group(co_await base::current_executor());
  for (auto& task : tasks) group.spawn("batch", std::move(task));
  std::exception_ptr failure;
  try {
    co_await group.wait_idle();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await group.stop();
    std::rethrow_exception(failure);
  }
}

base::Task<base::Result<>> slow_start(std::size_t count, Action action) {
  base::Result<> first_failure;
  std::size_t done = 0;
  for (std::size_t size = 1; done < count && first_failure; size *= 2) {
    std::vector<base::Task<>> batch;
    const auto end = std::min(count, done + size);
    for (; done < end; ++done) batch.push_back(perform(action, done, first_failure));
    co_await run_all(std::move(batch));
  }
  co_return first_failure;
}

}  // namespace koi::controllers
