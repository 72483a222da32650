#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "datastore/revision_log.h"
#include "datastore/store.h"

namespace koi::datastore {

// The part of a key that its watchers share: "/registry/apps/deployments/".
std::string_view bucket_of(std::string_view key);

// A change that was checked and given its revision, and waits to become durable.
struct StagedWrite {
  Revision revision = 0;
  Durability durability = Durability::durable;
  EntryPtr entry{};     // null: removal
  EntryPtr previous{};  // null: creation
  EventPtr event{};
};

// What is published: live entries and the recent events of each bucket. No locks, no I/O: the store
// around it provides both.
class State {
 public:
  struct Bucket {
    std::map<std::string, EntryPtr, std::less<>> entries;
    std::deque<StagedWrite> window;
    std::size_t window_bytes = 0;
    Revision trimmed = 0;  // events up to here are no longer held
  };

  // Checks the write against published and staged state, gives it `revision`, and stages it.
  base::Result<StagedWrite> stage(Write& write, Revision revision);
  // Makes a staged write visible. Writes are published in the order they were staged.
  void publish(const StagedWrite& staged);
  // Forgets everything that is staged and not published: their disk write failed.
  void drop_staged() { staged_.clear(); }

  // Recovery: the state of one key, and the event that led there when `as_event`.
  void restore(LogRecord&& record, bool as_event);
  void finish_recovery(const RecoveredLog& recovered);

  EntryPtr find(std::string_view key) const;
  base::Result<Range> range(std::string_view prefix, const RangeOptions& options) const;
  std::size_t count(std::string_view prefix) const;

  // Events of the prefix above `after`; expired when the window no longer reaches back that far.
  base::Result<std::vector<EventPtr>> events(std::string_view prefix, Revision after) const;
  bool covers(std::string_view prefix, Revision after) const;

  Revision published() const { return published_; }
  Revision compacted() const { return compacted_; }

 private:
  const Bucket* bucket_for(std::string_view prefix) const;
  Bucket& bucket(std::string_view key);
  void trim(Bucket& bucket);
  EntryPtr newest(std::string_view key) const;

  std::map<std::string, Bucket, std::less<>> buckets_;
  // Newest staged state of a key: a null entry is a staged removal.
  std::unordered_map<std::string, std::pair<Revision, EntryPtr>> staged_;
  Revision published_ = 0;
  Revision compacted_ = 0;
};

}  // namespace koi::datastore
