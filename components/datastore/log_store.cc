#include "datastore/log_store.h"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/event.h"
#include "base/limits.h"
#include "base/log.h"
#include "datastore/log_ledger.h"
#include "datastore/state.h"
#include "datastore/watch_hub.h"

namespace koi::datastore {

namespace asio = boost::asio;
using base::Code;
using base::Result;
using base::Task;

namespace {

// One caller of commit() that waits for the disk.
struct Waiting {
  StagedWrite write;
  std::function<void(Result<EntryPtr>)> complete;
};

}  // namespace

struct LogStore::Impl {
  explicit Impl(const Doors& d)
      : doors(d), tasks(d.executor), work(d.executor), drained(d.executor) {}

  Doors doors;
  mutable std::shared_mutex mutex;
  State state;                   // guarded by mutex
  std::vector<Waiting> pending;  // guarded by mutex
  Revision assigned = 0;         // guarded by mutex: the last revision given out
  bool stopping = false;         // guarded by mutex

  // Owned by the writer.
  LogLedger ledger;
  Revision reserved = 0;
  bool flush_due = false;
  bool writer_done = false;

  WatchHub watchers;
  base::TaskGroup tasks;
  base::Event work;
  base::Event drained;

  Task<> write_loop();
  Task<> flush_loop();
  bool take(std::vector<Waiting>& waiting, bool& ending);
  Task<> commit_batch(std::vector<Waiting> waiting, bool flush_lazy);
  LogBatch assemble(const std::vector<Waiting>& waiting, bool flush_lazy);
  void publish(std::vector<Waiting>& waiting);
  void refuse(std::vector<Waiting>& waiting, const base::Error& error);
  Task<> compact_if_due();
};

LogStore::LogStore(const Doors& doors) : impl_(std::make_shared<Impl>(doors)) {}

LogStore::~LogStore() = default;

Result<> LogStore::open() {
  Impl& impl = *impl_;
  const auto on_history = [&impl](LogRecord&& record) {
    const EntryPtr previous = impl.state.find(record.key);
    const std::size_t bytes =
        previous ? record.key.size() + previous->object->bytes().size() + 32 : 0;
    impl.ledger.recovered_history(record, previous ? previous->modified : 0, bytes);
    impl.state.restore(std::move(record), true);
  };
  const auto on_lazy = [&impl](LogRecord&& record) {
    const EntryPtr previous = impl.state.find(record.key);
    if (previous && previous->modified >= record.revision) return;
    impl.ledger.recovered_lazy(record.key, previous ? previous->modified : 0);
    impl.state.restore(std::move(record), false);
  };
  auto recovered = impl.doors.log.recover(on_history, on_lazy);
  if (!recovered) return base::fail(std::move(recovered).error());
  impl.state.finish_recovery(*recovered);
  impl.reserved = recovered->reserved;
  impl.assigned = recovered->reserved;
  return {};
}

void LogStore::start() {
  impl_->tasks.spawn("datastore.write", impl_->write_loop());
  impl_->tasks.spawn("datastore.flush", impl_->flush_loop());
}

Task<> LogStore::stop() {
  co_await base::ignore_cancellation();
  const auto impl = impl_;
  {
    const std::unique_lock lock(impl->mutex);
    impl->stopping = true;
  }
  impl->work.notify_all();
  // The write loop ends by itself once nothing is pending; the flush loop is cancelled after it.
  while (!impl->writer_done) co_await impl->drained.wait();
  co_await impl->tasks.stop();
}

EntryPtr LogStore::get(std::string_view key) const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->state.find(key);
}

Result<Range> LogStore::range(std::string_view prefix, const RangeOptions& options) const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->state.range(prefix, options);
}

std::size_t LogStore::count(std::string_view prefix) const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->state.count(prefix);
}

Revision LogStore::current_revision() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->state.published();
}

Revision LogStore::compacted_revision() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->state.compacted();
}

Task<Result<EntryPtr>> LogStore::commit(Write write) {
  const base::Executor caller = co_await base::current_executor();
  const auto impl = impl_;
  auto initiate = [impl, caller, &write](auto handler) {
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    const auto executor = asio::prefer(caller, asio::execution::outstanding_work.tracked);
    auto complete = [held, executor](Result<EntryPtr> outcome) {
      auto deliver = [held, outcome = std::move(outcome)]() mutable {
        (*held)(std::move(outcome));
      };
      asio::post(executor, std::move(deliver));
    };
    std::unique_lock lock(impl->mutex);
    if (impl->stopping) {
      lock.unlock();
      return complete(base::fail(Code::unavailable, "the datastore is stopping"));
    }
    auto staged = impl->state.stage(write, impl->assigned + 1);
    if (!staged) {
      lock.unlock();
      return complete(base::fail(std::move(staged).error()));
    }
    ++impl->assigned;
    const bool first = impl->pending.empty();
    impl->pending.push_back(Waiting{std::move(*staged), std::move(complete)});
    lock.unlock();
    if (first) asio::post(impl->doors.executor, [impl] { impl->work.notify_all(); });
  };
  constexpr asio::use_awaitable_t<base::Executor> token;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<base::Executor>,
                                          void(Result<EntryPtr>)>(std::move(initiate), token);
}

bool LogStore::Impl::take(std::vector<Waiting>& waiting, bool& ending) {
  const std::unique_lock lock(mutex);
  ending = stopping;
  const std::size_t count = std::min(pending.size(), base::limits::commit_batch_writes_max);
  const auto end = pending.begin() + static_cast<std::ptrdiff_t>(count);
  waiting.assign(std::make_move_iterator(pending.begin()), std::make_move_iterator(end));
  pending.erase(pending.begin(), end);
  return count > 0;
}

Task<> LogStore::Impl::write_loop() {
  co_await base::ignore_cancellation();
  // Lazy states are flushed once more at the end; a disk that refuses then must not hold up the
  // stop.
  bool last_flush_tried = false;
  for (;;) {
    bool ending = false;
    std::vector<Waiting> waiting;
    const bool any = take(waiting, ending);
    if (ending && !any && !std::exchange(last_flush_tried, true)) {
      flush_due = ledger.has_unflushed();
    }
    if (!any && !flush_due) {
      if (ending) break;
      co_await work.wait();
      continue;
    }
    const bool flushing = std::exchange(flush_due, false);
    co_await commit_batch(std::move(waiting), flushing);
    co_await compact_if_due();
  }
  writer_done = true;
  drained.notify_all();
}

LogBatch LogStore::Impl::assemble(const std::vector<Waiting>& waiting, bool flush_lazy) {
  LogBatch batch;
  for (const Waiting& one : waiting) ledger.add(one.write, batch);
  if (flush_lazy) ledger.add_lazy(batch);
  const Revision last = waiting.empty() ? 0 : waiting.back().write.revision;
  const Revision ahead = base::limits::revisions_reserved_ahead;
  const bool touches_disk = !batch.records.empty() || !batch.lazy.empty();
  if (last > reserved || (touches_disk && last + ahead / 2 > reserved)) {
    batch.reserved = last + ahead;
  }
  return batch;
}

Task<> LogStore::Impl::commit_batch(std::vector<Waiting> waiting, bool flush_lazy) {
  const LogBatch batch = assemble(waiting, flush_lazy);
  Result<> appended;
  if (!batch.records.empty() || !batch.lazy.empty() || batch.reserved != 0) {
    auto append = [this, &batch] { return doors.log.append(batch); };
    appended = co_await doors.disk.run(std::move(append));
  }
  if (!appended) {
    ledger.rolled_back();
    refuse(waiting, appended.error());
    co_return;
  }
  ledger.committed();
  if (batch.reserved != 0) reserved = batch.reserved;
  publish(waiting);
}

void LogStore::Impl::publish(std::vector<Waiting>& waiting) {
  {
    const std::unique_lock lock(mutex);
    for (const Waiting& one : waiting) state.publish(one.write);
  }
  for (const Waiting& one : waiting) watchers.changed(one.write.event->key);
  watchers.wake();
  for (Waiting& one : waiting) {
    // A removal answers with the state that was removed.
    one.complete(one.write.entry ? one.write.entry : one.write.previous);
  }
}

void LogStore::Impl::refuse(std::vector<Waiting>& waiting, const base::Error& error) {
  std::vector<Waiting> later;
  {
    // Writes that were staged meanwhile may rest on the ones that failed.
    const std::unique_lock lock(mutex);
    state.drop_staged();
    later.swap(pending);
  }
  base::log::error("datastore.commit.failed",
                   {{"error", error.message}, {"next", "the writes are refused, retry later"}});
  const base::Error refused{Code::unavailable, "the datastore cannot write: " + error.message};
  for (Waiting& one : waiting) one.complete(base::fail(refused));
  for (Waiting& one : later) one.complete(base::fail(refused));
}

Task<> LogStore::Impl::compact_if_due() {
  auto plan = ledger.take_compaction();
  if (!plan) co_return;
  auto compact = [this, &plan] { return doors.log.compact(plan->compacted, plan->superseded); };
  const Result<> compacted = co_await doors.disk.run(std::move(compact));
  if (!compacted) {
    base::log::warn("datastore.compact.failed", {{"error", compacted.error().message},
                                                 {"next", "the rows stay until the next start"}});
  }
}

Task<> LogStore::Impl::flush_loop() {
  for (;;) {
    co_await doors.clock.sleep_for(base::limits::lazy_flush_interval);
    if (!ledger.has_unflushed()) continue;
    flush_due = true;
    work.notify_all();
  }
}

// Follows one prefix. Its place in the history is its own; the hub only wakes it.
class LogWatcher final : public Watcher {
 public:
  LogWatcher(std::shared_ptr<LogStore::Impl> store, std::string prefix, Revision after)
      : store_(std::move(store)), prefix_(std::move(prefix)), position_(after) {}

  Task<Result<std::vector<EventPtr>>> next() override {
    if (!signal_) {
      signal_ = std::make_shared<WatchSignal>(co_await base::current_executor());
      store_->watchers.add(bucket_of(prefix_), signal_);
    }
    for (;;) {
      signal_->arm();
      {
        const std::shared_lock lock(store_->mutex);
        auto events = store_->state.events(prefix_, position_);
        if (!events) co_return events;
        position_ = std::max(position_, store_->state.published());
        if (!events->empty()) co_return events;
      }
      co_await signal_->wait();
    }
  }

  Revision position() const override {
    const std::shared_lock lock(store_->mutex);
    const auto events = store_->state.events(prefix_, position_);
    return events && events->empty() ? std::max(position_, store_->state.published()) : position_;
  }

 private:
  std::shared_ptr<LogStore::Impl> store_;
  std::string prefix_;
  Revision position_;
  std::shared_ptr<WatchSignal> signal_;
};

Result<std::unique_ptr<Watcher>> LogStore::watch(std::string_view prefix, Revision after) {
  {
    const std::shared_lock lock(impl_->mutex);
    if (!impl_->state.covers(prefix, after)) {
      return base::fail(Code::expired, "revision " + std::to_string(after) + " was compacted");
    }
  }
  return std::make_unique<LogWatcher>(impl_, std::string(prefix), after);
}

}  // namespace koi::datastore
