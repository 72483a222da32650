#include "client/work_queue.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/log.h"

namespace koi::client {

namespace {

constexpr int back_off_doublings_max = 24;

}  // namespace

WorkQueue::WorkQueue(base::TaskGroup& tasks, base::Clock& clock, WorkQueueOptions options)
    : tasks_(tasks),
      clock_(clock),
      options_(std::move(options)),
      changed_(tasks.executor()),
      alarm_(tasks, clock, options_.name + ".timer", [this] { add_due(); }) {}

void WorkQueue::add(std::string key) {
  if (!queued_.insert(key).second) return;
  if (working_.contains(key)) return;
  ready_.push_back(std::move(key));
  changed_.notify_all();
}

void WorkQueue::add_after(std::string key, base::Duration delay) {
  if (delay <= base::Duration::zero()) {
    add(std::move(key));
    return;
  }
  const auto deadline = clock_.now() + delay;
  const auto [at, fresh] = delays_.try_emplace(key, deadline);
  if (!fresh) {
    if (at->second <= deadline) return;
    deadlines_.erase({at->second, key});
    at->second = deadline;
  }
  deadlines_.emplace(deadline, std::move(key));
  alarm_.set(deadline);
}

void WorkQueue::add_due() {
  const auto now = clock_.now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto key = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    delays_.erase(key);
    add(std::move(key));
  }
}

void WorkQueue::start(Work work) {
  work_ = std::move(work);
  for (std::size_t worker = 0; worker < options_.workers; ++worker) {
    tasks_.spawn(options_.name, run_worker());
  }
}

base::Task<> WorkQueue::run_worker() {
  while (true) {
    while (ready_.empty()) co_await changed_.wait();
    const std::string key = std::move(ready_.front());
    ready_.pop_front();
    queued_.erase(key);
    working_.insert(key);
    const auto outcome = co_await attempt(key);
    finish(key, outcome);
  }
}

base::Task<base::Result<>> WorkQueue::attempt(const std::string& key) {
  std::string problem;
  try {
    co_return co_await work_(key);
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) throw;
    problem = error.what();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  base::log::error("work.failed", {{"queue", options_.name}, {"key", key}, {"error", problem}});
  co_return base::fail(base::Code::internal, problem);
}

void WorkQueue::finish(const std::string& key, const base::Result<>& outcome) {
  working_.erase(key);
  if (outcome) {
    failures_.erase(key);
  } else {
    const int doublings = std::min(failures_[key]++, back_off_doublings_max);
    const auto delay =
        std::min<base::Duration>(options_.back_off_min * (1 << doublings), options_.back_off_max);
    base::log::debug("work.retry", {{"queue", options_.name},
                                    {"key", key},
                                    {"error", outcome.error().message},
                                    {"delay_ms", delay.count() / 1000}});
    add_after(key, delay);
  }
  if (queued_.contains(key)) {
    ready_.push_back(key);
    changed_.notify_all();
  }
}

}  // namespace koi::client
