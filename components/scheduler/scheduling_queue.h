#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>

#include "base/time.h"
#include "scheduler/filters.h"

namespace koi::scheduler {

// Pods that want a node: those to try now (highest priority first, then longest waiting), those
// that back off after a failure, and those that wait for the cluster to change. A value driven by
// calls, with the time given.
class SchedulingQueue {
 public:
  // A new pod, or one whose own wishes changed: it is tried at once.
  void add(const PodFactsPtr& pod);
  void remove(const std::string& key);
  bool contains(const std::string& key) const { return entries_.contains(key); }

  // The next to try; it leaves the queue but its failures are remembered until settled() or fail().
  PodFactsPtr pop(base::MonoTime now);
  // It has its node.
  void settled(const std::string& key);
  // No node could take it, for these reasons: waits until wake() names one of them.
  void fail(const PodFactsPtr& pod, ReasonSet reasons, base::MonoTime now);
  // Something else went wrong: tried again after its back-off.
  void retry(const PodFactsPtr& pod, base::MonoTime now);

  // The cluster changed in a way that may end these reasons.
  void wake(ReasonSet reasons, base::MonoTime now);

  bool has_active(base::MonoTime now) const;
  // When the next back-off ends; absent when none is pending.
  std::optional<base::MonoTime> next_deadline() const;
  std::size_t size() const { return entries_.size(); }

 private:
  enum class Place { nowhere, active, backing_off, waiting, trying };
  struct Entry {
    PodFactsPtr pod{};
    Place place = Place::nowhere;
    std::uint64_t sequence = 0;
    int failures = 0;
    base::MonoTime ready_at{};
    ReasonSet reasons = 0;
  };
  using Order = std::tuple<std::int64_t, std::uint64_t, std::string>;

  static Order order_of(const Entry& entry);
  void activate(Entry& entry);
  void leave(Entry& entry);
  void end_back_offs(base::MonoTime now);
  static base::MonoTime ready_after_failure(Entry& entry, base::MonoTime now);

  std::unordered_map<std::string, Entry> entries_;
  std::set<Order> active_;
  std::set<std::pair<base::MonoTime, std::string>> backing_off_;
  std::set<std::pair<std::uint64_t, std::string>> waiting_;  // who came first first
  std::uint64_t sequence_ = 0;
};

}  // namespace koi::scheduler
