#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "datastore/revision_log.h"
#include "datastore/state.h"

namespace koi::datastore {

// What to forget on disk, and up to where history then is complete.
struct CompactionPlan {
  Revision compacted = 0;
  std::vector<Revision> superseded;
};

// Knows which rows of the log are still needed: turns staged writes into what the disk must do, and
// what became superseded into compaction plans. No I/O, one thread.
class LogLedger {
 public:
  // Recovery: a history row, and a lazy row, in the order they are read.
  void recovered_history(const LogRecord& record, Revision replaced, std::size_t replaced_bytes);
  void recovered_lazy(const std::string& key, Revision shadowed);

  // Adds one staged write to the batch that is being put together.
  void add(const StagedWrite& write, LogBatch& batch);
  // Moves every lazy state that changed since the last flush into the batch.
  void add_lazy(LogBatch& batch);
  bool has_unflushed() const { return !dirty_.empty(); }

  // The batch is on disk; or it is not, and everything since the last outcome is undone.
  void committed();
  void rolled_back();

  // Set once garbage outweighs what lives. The plan is final: its revisions are forgotten here.
  std::optional<CompactionPlan> take_compaction();

  std::uint64_t live_bytes() const { return live_bytes_; }
  std::uint64_t garbage_bytes() const { return garbage_bytes_; }

 private:
  struct Garbage {
    Revision revision = 0;       // the row that is no longer needed
    Revision superseded_at = 0;  // by the change at this revision
    std::size_t bytes = 0;
  };

  void supersede(const std::string& key, const EntryPtr& previous, Revision at, LogBatch& batch);
  void discard(Revision revision, Revision at, std::size_t bytes);
  void remember(const std::string& key);

  // Keys whose newest state is lazy, with the log row it hides (0: none).
  std::unordered_map<std::string, Revision> lazy_keys_;
  std::map<std::string, LogRecord> dirty_;
  std::vector<Garbage> garbage_;
  std::uint64_t garbage_bytes_ = 0;
  std::uint64_t live_bytes_ = 0;

  struct Undo {
    std::vector<std::pair<std::string, std::optional<Revision>>> lazy_keys;
    std::map<std::string, LogRecord> dirty;
    std::size_t garbage_count = 0;
    std::uint64_t garbage_bytes = 0;
    std::uint64_t live_bytes = 0;
    bool open = false;
  };
  Undo undo_;
  void open_undo();
};

}  // namespace koi::datastore
