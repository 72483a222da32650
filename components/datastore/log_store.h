#pragma once

#include <memory>
#include <string>

#include "base/blocking_pool.h"
#include "base/task.h"
#include "base/time.h"
#include "datastore/revision_log.h"
#include "datastore/store.h"

namespace koi::datastore {

// The store: published state in memory, a revision log behind it, one writer that commits whatever
// is waiting in one durable transaction. Calls from any thread; the writer runs on `executor` and
// its disk work on a thread of its own.
class LogStore final : public Store {
 public:
  struct Doors {
    base::Clock& clock;
    base::Executor executor;
    RevisionLog& log;
    base::BlockingPool& disk;
  };

  explicit LogStore(const Doors& doors);
  ~LogStore() override;

  // Reads the log; blocking. Fails with corrupt, unavailable or unsupported and a message that says
  // what to do.
  base::Result<> open();
  // Begins to commit. After open().
  void start();
  // Commits what is waiting, flushes lazy states, ends the writer.
  base::Task<> stop();

  EntryPtr get(std::string_view key) const override;
  base::Result<Range> range(std::string_view prefix, const RangeOptions& options) const override;
  std::size_t count(std::string_view prefix) const override;
  base::Task<base::Result<EntryPtr>> commit(Write write) override;
  base::Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after) override;
  Revision current_revision() const override;
  Revision compacted_revision() const override;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace koi::datastore
