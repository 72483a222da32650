#include "datastore/watch_hub.h"

#include <boost/asio/post.hpp>

#include "datastore/state.h"

namespace koi::datastore {

WatchSignal::WatchSignal(base::Executor executor)
    : executor_(std::move(executor)), event_(executor_) {}

base::Task<> WatchSignal::wait() {
  while (armed_.load()) co_await event_.wait();
}

void WatchSignal::fire() {
  // The flag falls on the watcher's own executor: between its last look and its wait nothing runs
  // there, so the wake-up cannot be lost.
  if (!armed_.load()) return;
  boost::asio::post(executor_, [self = shared_from_this()] {
    self->armed_.store(false);
    self->event_.notify_all();
  });
}

void WatchHub::add(std::string_view bucket, const std::shared_ptr<WatchSignal>& signal) {
  const std::lock_guard lock(mutex_);
  auto& signals = signals_[std::string(bucket)];
  std::erase_if(signals, [](const auto& other) { return other.expired(); });
  signals.push_back(signal);
}

void WatchHub::changed(std::string_view key) {
  const std::string_view bucket = bucket_of(key);
  const std::lock_guard lock(mutex_);
  if (!changed_.contains(bucket) && signals_.contains(bucket)) changed_.emplace(bucket);
}

void WatchHub::wake() {
  const std::lock_guard lock(mutex_);
  for (const std::string& bucket : changed_) {
    for (const auto& waiting : signals_[bucket]) {
      if (const auto signal = waiting.lock()) signal->fire();
    }
  }
  changed_.clear();
}

}  // namespace koi::datastore
