#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "base/named.h"
#include "base/result.h"
#include "base/task.h"

namespace koi::datastore {

// A point in the history of the whole store; what Kubernetes calls resourceVersion. Never reused,
// not even after a crash.
using Revision = std::int64_t;

// One live key. Keys look like "/registry/apps/deployments/default/web".
struct Entry {
  std::string key;
  Revision created = 0;
  Revision modified = 0;
  api::ObjectPtr object;  // carries `modified` as its resourceVersion
};
using EntryPtr = std::shared_ptr<const Entry>;

enum class Durability {
  durable,  // acknowledged only after it survives a power loss
  lazy,     // memory first, flushed coalesced within limits::lazy_flush_interval: Events, renewals
};

// One change of one key.
struct Write {
  std::string key;
  // The revision at which the caller saw the key; 0: it must not exist; absent: whatever it is.
  std::optional<Revision> expected;
  // Makes the new object once its revision is known (called once, at once, under the store's lock:
  // only serialize). Absent: the key is deleted. `make_last` then makes the object's last state,
  // which watchers of the deletion see (with the deletion's revision).
  std::function<api::ObjectPtr(Revision)> make;
  std::function<api::ObjectPtr(Revision)> make_last;
  Durability durability = Durability::durable;
};

// One change as watchers see it. Shared by all of them.
struct Event {
  enum class Type { put, removed };
  Type type = Type::put;
  std::string key;
  Revision revision = 0;
  api::ObjectPtr object;    // new state; of a removal the last state with the removal's revision
  api::ObjectPtr previous;  // null for a creation
};
using EventPtr = std::shared_ptr<const Event>;

struct Range {
  std::vector<EntryPtr> entries;
  Revision revision = 0;  // the state that the entries show
  bool more = false;      // the limit cut it
  std::size_t remaining = 0;
};

struct RangeOptions {
  std::string start_after;  // key; only what sorts behind it
  std::size_t limit = 0;    // 0: all
  // Show the state at this revision. Fails with expired once its events left the window.
  std::optional<Revision> at;
};

// An open watch over a prefix. Owned and used by one task; safe against writers on other threads.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // Waits for events after the last returned ones, in revision order, all that are ready. An empty
  // batch is progress without events: position() moved. Fails with expired when the watcher fell
  // behind the window.
  virtual base::Task<base::Result<std::vector<EventPtr>>> next() = 0;
  // Every event of the prefix up to here was returned.
  virtual Revision position() const = 0;
};

// The revision log with its watch cache. Reads are answered from memory and see every acknowledged
// write. Any thread.
class Store {
 public:
  virtual ~Store() = default;

  virtual EntryPtr get(std::string_view key) const = 0;  // null when absent
  virtual base::Result<Range> range(std::string_view prefix, const RangeOptions& options) const = 0;
  virtual std::size_t count(std::string_view prefix) const = 0;

  // Fails with conflict when `expected` does not hold, already_exists when it was 0, not_found when
  // a deleted key is absent, unavailable when the disk refuses (nothing was changed).
  virtual base::Task<base::Result<EntryPtr>> commit(Write write) = 0;

  // Events with a revision above `after`. Fails with expired when they are no longer held.
  virtual base::Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after) = 0;

  virtual Revision current_revision() const = 0;
  virtual Revision compacted_revision() const = 0;
};

}  // namespace koi::datastore
