#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/task.h"

namespace koi::datastore {

// Wakes one waiting watcher on the executor that it waits on.
class WatchSignal : public std::enable_shared_from_this<WatchSignal> {
 public:
  explicit WatchSignal(base::Executor executor);

  // From now on the next fire() wakes wait(). Called before looking for events, so that none that
  // is published meanwhile is missed.
  void arm() { armed_.store(true); }
  // Returns at the first fire() since arm(). On the executor.
  base::Task<> wait();
  // Any thread.
  void fire();

 private:
  base::Executor executor_;
  base::Event event_;
  std::atomic<bool> armed_{false};
};

// Which watchers wait on which bucket. Any thread.
class WatchHub {
 public:
  void add(std::string_view bucket, const std::shared_ptr<WatchSignal>& signal);
  // Notes that a key changed; wake() then wakes each watcher of its bucket once.
  void changed(std::string_view key);
  void wake();

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::weak_ptr<WatchSignal>>, std::less<>> signals_;
  std::set<std::string, std::less<>> changed_;
};

}  // namespace koi::datastore
