#pragma once

#include <optional>
#include <utility>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

namespace koi::http {

// Runs two tasks side by side until the first has ended, then cancels the other and waits for it.
// A cancellation of the caller cancels both.
base::Task<> race(base::Task<> first, base::Task<> second);

// Waits until every task of the group has ended. A cancellation of the caller cancels them, waits
// all the same, and is thrown on then.
base::Task<> wait_ended(base::TaskGroup& group);

namespace internal {

template <class T>
base::Task<> keep_result(base::Task<base::Result<T>> task, std::optional<base::Result<T>>& result) {
  result.emplace(co_await std::move(task));
}

base::Task<> sleep_until(base::Clock& clock, base::MonoTime deadline);

}  // namespace internal

// The task's result, or timeout if the deadline comes first; the task is then cancelled.
template <class T>
base::Task<base::Result<T>> with_deadline(base::Clock& clock, base::MonoTime deadline,
                                          base::Task<base::Result<T>> task) {
  std::optional<base::Result<T>> result;
  auto work = internal::keep_result<T>(std::move(task), result);
  auto timer = internal::sleep_until(clock, deadline);
  co_await race(std::move(work), std::move(timer));
  if (!result) co_return base::fail(base::Code::timeout, "the deadline passed");
  co_return std::move(*result);
}

}  // namespace koi::http
