#include "datastore/memory_store.h"

#include "base/check.h"
#include "datastore/memory_log.h"

namespace koi::datastore {

MemoryStore::MemoryStore(base::Clock& clock, const base::Executor& executor)
    : log_(make_memory_log()),
      disk_("memory", 0),
      store_(LogStore::Doors{clock, executor, *log_, disk_}) {
  CHECK_THAT(store_.open().has_value(), "an empty log opens");
  store_.start();
}

}  // namespace koi::datastore
