#include "datastore/log_ledger.h"

#include <algorithm>

#include "base/limits.h"

namespace koi::datastore {

namespace {

// Recent history that a compaction leaves, so that clients resume their watches over a restart.
constexpr std::size_t history_kept = 1'000;

std::size_t row_bytes(const std::string& key, const api::ObjectPtr& object) {
  constexpr std::size_t row_overhead_bytes = 32;
  return key.size() + (object ? object->bytes().size() : 0) + row_overhead_bytes;
}

LogRecord record_of(const StagedWrite& write) {
  LogRecord record{.revision = write.revision, .key = write.event->key};
  if (write.entry) {
    record.created = write.entry->created;
    record.object = write.entry->object;
  }
  return record;
}

}  // namespace

void LogLedger::recovered_history(const LogRecord& record, Revision replaced,
                                  std::size_t replaced_bytes) {
  const std::size_t bytes = row_bytes(record.key, record.object);
  if (replaced != 0) {
    live_bytes_ -= std::min<std::uint64_t>(live_bytes_, replaced_bytes);
    discard(replaced, record.revision, replaced_bytes);
  }
  if (record.object) {
    live_bytes_ += bytes;
  } else {
    discard(record.revision, record.revision, bytes);
  }
}

void LogLedger::recovered_lazy(const std::string& key, Revision shadowed) {
  lazy_keys_[key] = shadowed;
}

void LogLedger::open_undo() {
  if (undo_.open) return;
  undo_.dirty = dirty_;
  undo_.garbage_count = garbage_.size();
  undo_.garbage_bytes = garbage_bytes_;
  undo_.live_bytes = live_bytes_;
  undo_.open = true;
}

void LogLedger::remember(const std::string& key) {
  const auto found = lazy_keys_.find(key);
  undo_.lazy_keys.emplace_back(
      key, found != lazy_keys_.end() ? std::optional(found->second) : std::nullopt);
}

void LogLedger::discard(Revision revision, Revision at, std::size_t bytes) {
  garbage_.push_back({revision, at, bytes});
  garbage_bytes_ += bytes;
}

void LogLedger::supersede(const std::string& key, const EntryPtr& previous, Revision at,
                          LogBatch& batch) {
  if (!previous) return;
  const std::size_t bytes = row_bytes(key, previous->object);
  const auto lazy = lazy_keys_.find(key);
  if (lazy == lazy_keys_.end()) {
    discard(previous->modified, at, bytes);
    live_bytes_ -= std::min<std::uint64_t>(live_bytes_, bytes);
    return;
  }
  if (lazy->second != 0) {
    discard(lazy->second, at, bytes);
    live_bytes_ -= std::min<std::uint64_t>(live_bytes_, bytes);
  }
  remember(key);
  lazy_keys_.erase(lazy);
  dirty_.erase(key);
  batch.lazy.push_back(LogRecord{.revision = at, .key = key});
}

void LogLedger::add(const StagedWrite& write, LogBatch& batch) {
  open_undo();
  const std::string& key = write.event->key;
  const auto lazy = lazy_keys_.find(key);
  const bool only_lazy = lazy != lazy_keys_.end() && lazy->second == 0;
  const bool stays_lazy =
      write.durability == Durability::lazy && (write.entry != nullptr || only_lazy);
  if (!stays_lazy) {
    supersede(key, write.previous, write.revision, batch);
    batch.records.push_back(record_of(write));
    const std::size_t bytes = row_bytes(key, batch.records.back().object);
    if (write.entry) {
      live_bytes_ += bytes;
    } else {
      discard(write.revision, write.revision, bytes);
    }
    return;
  }
  if (lazy == lazy_keys_.end()) {
    remember(key);
    lazy_keys_[key] = write.previous ? write.previous->modified : 0;
  } else if (!write.entry) {
    remember(key);
    lazy_keys_.erase(lazy);
  }
  dirty_.insert_or_assign(key, record_of(write));
}

void LogLedger::add_lazy(LogBatch& batch) {
  open_undo();
  for (auto& [key, record] : dirty_) batch.lazy.push_back(std::move(record));
  dirty_.clear();
}

void LogLedger::committed() { undo_ = Undo{}; }

void LogLedger::rolled_back() {
  if (!undo_.open) return;
  for (auto at = undo_.lazy_keys.rbegin(); at != undo_.lazy_keys.rend(); ++at) {
    if (at->second) {
      lazy_keys_[at->first] = *at->second;
    } else {
      lazy_keys_.erase(at->first);
    }
  }
  dirty_ = std::move(undo_.dirty);
  garbage_.resize(undo_.garbage_count);
  garbage_bytes_ = undo_.garbage_bytes;
  live_bytes_ = undo_.live_bytes;
  undo_ = Undo{};
}

std::optional<CompactionPlan> LogLedger::take_compaction() {
  const std::uint64_t bound =
      std::max<std::uint64_t>(base::limits::compaction_garbage_bytes_min, live_bytes_);
  if (garbage_bytes_ <= bound || garbage_.size() <= history_kept) return std::nullopt;
  CompactionPlan plan;
  const std::size_t count = garbage_.size() - history_kept;
  plan.superseded.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    plan.superseded.push_back(garbage_[i].revision);
    plan.compacted = std::max(plan.compacted, garbage_[i].superseded_at);
    garbage_bytes_ -= garbage_[i].bytes;
  }
  garbage_.erase(garbage_.begin(), garbage_.begin() + static_cast<std::ptrdiff_t>(count));
  return plan;
}

}  // namespace koi::datastore
