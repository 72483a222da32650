#pragma once

#include <memory>

#include "base/blocking_pool.h"
#include "base/time.h"
#include "datastore/log_store.h"

namespace koi::datastore {

// A whole store without a disk, started: the same core as the real one. Call stop() on it (and run
// the executor until that returns) before it goes.
class MemoryStore {
 public:
  MemoryStore(base::Clock& clock, const base::Executor& executor);

  LogStore& store() { return store_; }
  base::Task<> stop() { return store_.stop(); }

 private:
  std::unique_ptr<RevisionLog> log_;
  base::BlockingPool disk_;
  LogStore store_;
};

}  // namespace koi::datastore
