#include "scheduler/scheduling_queue.h"

#include <algorithm>

namespace koi::scheduler {

namespace {

using namespace std::chrono_literals;

constexpr base::Duration back_off_first = 1s;
constexpr base::Duration back_off_max = 10s;
constexpr int doublings_max = 4;

}  // namespace

SchedulingQueue::Order SchedulingQueue::order_of(const Entry& entry) {
  return {-entry.pod->priority, entry.sequence, entry.pod->key};
}

void SchedulingQueue::activate(Entry& entry) {
  entry.place = Place::active;
  entry.sequence = ++sequence_;
  active_.insert(order_of(entry));
}

void SchedulingQueue::leave(Entry& entry) {
  if (entry.place == Place::active) active_.erase(order_of(entry));
  if (entry.place == Place::backing_off) backing_off_.erase({entry.ready_at, entry.pod->key});
  if (entry.place == Place::waiting) waiting_.erase({entry.sequence, entry.pod->key});
  entry.place = Place::nowhere;
}

void SchedulingQueue::add(const PodFactsPtr& pod) {
  auto& entry = entries_[pod->key];
  if (entry.pod != nullptr) leave(entry);
  if (entry.pod == nullptr || entry.pod->uid != pod->uid) entry.failures = 0;
  entry.pod = pod;
  activate(entry);
}

void SchedulingQueue::remove(const std::string& key) {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return;
  leave(at->second);
  entries_.erase(at);
}

void SchedulingQueue::end_back_offs(base::MonoTime now) {
  while (!backing_off_.empty() && backing_off_.begin()->first <= now) {
    auto& entry = entries_.at(backing_off_.begin()->second);
    backing_off_.erase(backing_off_.begin());
    activate(entry);
  }
}

bool SchedulingQueue::has_active(base::MonoTime now) const {
  return !active_.empty() || (!backing_off_.empty() && backing_off_.begin()->first <= now);
}

PodFactsPtr SchedulingQueue::pop(base::MonoTime now) {
  end_back_offs(now);
  if (active_.empty()) return nullptr;
  const auto key = std::get<2>(*active_.begin());
  active_.erase(active_.begin());
  auto& entry = entries_.at(key);
  entry.place = Place::trying;
  return entry.pod;
}

void SchedulingQueue::settled(const std::string& key) { remove(key); }

base::MonoTime SchedulingQueue::ready_after_failure(Entry& entry, base::MonoTime now) {
  const int doublings = std::min(entry.failures++, doublings_max);
  return now + std::min<base::Duration>(back_off_first * (1 << doublings), back_off_max);
}

void SchedulingQueue::fail(const PodFactsPtr& pod, ReasonSet reasons, base::MonoTime now) {
  const auto at = entries_.find(pod->key);
  if (at == entries_.end() || at->second.place != Place::trying) return;
  auto& entry = at->second;
  entry.ready_at = ready_after_failure(entry, now);
  entry.reasons = reasons;
  entry.place = Place::waiting;
  waiting_.emplace(entry.sequence, pod->key);
}

void SchedulingQueue::retry(const PodFactsPtr& pod, base::MonoTime now) {
  auto& entry = entries_[pod->key];
  if (entry.place != Place::nowhere && entry.place != Place::trying) return;
  entry.pod = pod;
  entry.ready_at = ready_after_failure(entry, now);
  entry.place = Place::backing_off;
  backing_off_.emplace(entry.ready_at, pod->key);
}

void SchedulingQueue::wake(ReasonSet reasons, base::MonoTime now) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& entry = entries_.at(at->second);
    if ((entry.reasons & reasons) == 0) {
      ++at;
      continue;
    }
    at = waiting_.erase(at);
    if (entry.ready_at <= now) {
      activate(entry);
    } else {
      entry.place = Place::backing_off;
      backing_off_.emplace(entry.ready_at, entry.pod->key);
    }
  }
}

std::optional<base::MonoTime> SchedulingQueue::next_deadline() const {
  if (backing_off_.empty()) return std::nullopt;
  return backing_off_.begin()->first;
}

}  // namespace koi::scheduler
