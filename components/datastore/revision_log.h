#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "datastore/store.h"

namespace koi::datastore {

// One change as the disk holds it.
struct LogRecord {
  Revision revision = 0;
  Revision created = 0;
  std::string key{};
  api::ObjectPtr object{};  // null: the key was removed
};

// What one durable transaction holds.
struct LogBatch {
  std::vector<LogRecord> records;  // history, in revision order
  std::vector<LogRecord> lazy;     // latest states of keys outside the history, any order
  // No revision above this is ever given out before a later batch raises it: after a crash the
  // store goes on from here, so none is used twice.
  Revision reserved = 0;
};

// What a start finds.
struct RecoveredLog {
  Revision reserved = 0;   // give out only revisions above
  Revision compacted = 0;  // history is complete above
};

// Size of what is stored, in bytes of keys and values.
struct LogSize {
  std::uint64_t history_bytes = 0;
  std::uint64_t file_bytes = 0;
};

// The durable half of a store. Blocking; one thread at a time.
class RevisionLog {
 public:
  virtual ~RevisionLog() = default;

  // Hands over every record in revision order, then the lazy states. Called once, first.
  virtual base::Result<RecoveredLog> recover(const std::function<void(LogRecord&&)>& history,
                                             const std::function<void(LogRecord&&)>& lazy) = 0;

  // Returns once all of the batch survives a power loss; on failure none of it is there.
  virtual base::Result<> append(const LogBatch& batch) = 0;

  // Forgets the given superseded revisions and gives their space back to the file system. History
  // is complete only above `compacted` from then on.
  virtual base::Result<> compact(Revision compacted, std::span<const Revision> superseded) = 0;

  virtual base::Result<LogSize> size() = 0;
};

}  // namespace koi::datastore
