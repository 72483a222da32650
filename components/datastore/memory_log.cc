#include "datastore/memory_log.h"

namespace koi::datastore {

namespace {

class MemoryLog final : public RevisionLog {
 public:
  base::Result<RecoveredLog> recover(const std::function<void(LogRecord&&)>&,
                                     const std::function<void(LogRecord&&)>&) override {
    return RecoveredLog{};
  }
  base::Result<> append(const LogBatch&) override { return {}; }
  base::Result<> compact(Revision, std::span<const Revision>) override { return {}; }
  base::Result<LogSize> size() override { return LogSize{}; }
};

}  // namespace

std::unique_ptr<RevisionLog> make_memory_log() { return std::make_unique<MemoryLog>(); }

}  // namespace koi::datastore
