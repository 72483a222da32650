#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "api/object.h"
#include "api/selectors.h"
#include "api/status.h"
#include "base/task.h"
#include "base/time.h"
#include "datastore/store.h"

namespace koi::apiserver {

struct StreamEvent {
  enum class Type { added, modified, deleted, bookmark };
  Type type = Type::added;
  // Of a bookmark: only kind, apiVersion and metadata.resourceVersion.
  api::ObjectPtr object;
};

// What an object must look like to be in a list or watch.
struct Selection {
  api::LabelSelector labels;
  api::FieldSelector fields;

  bool matches(const json::Value& object) const {
    return labels.matches_object(object) && fields.matches(object);
  }
  bool is_everything() const { return labels.is_everything() && fields.is_everything(); }
};

// A watch as a client sees it: the initial state where it asked for that, then what happens to the
// objects of its selection. Used by one task.
class EventStream {
 public:
  struct Options {
    Selection selection;
    std::unique_ptr<datastore::Watcher> watcher;
    std::vector<api::ObjectPtr> initial{};
    datastore::Revision start = 0;
    // After the initial state a bookmark says that it is complete.
    bool mark_initial_end = false;
    bool bookmarks = false;
    base::MonoTime deadline{};
    std::string bookmark_head;  // the item head of the resource
  };

  EventStream(base::Clock& clock, Options options);

  // What clients see instead of the stored objects. Before the first next().
  void set_view(std::function<api::ObjectPtr(const api::ObjectPtr&)> view) {
    view_ = std::move(view);
  }

  // The events that are ready, at least one; none at the end of the stream. Fails with Expired when
  // the watch fell behind.
  base::Task<api::StatusOr<std::vector<StreamEvent>>> next();

 private:
  base::Task<api::StatusOr<std::vector<StreamEvent>>> next_stored();
  std::vector<StreamEvent> translate(const std::vector<datastore::EventPtr>& events) const;
  api::ObjectPtr bookmark(bool initial_end) const;

  base::Clock& clock_;
  Options options_;
  base::MonoTime next_bookmark_;
  datastore::Revision position_;
  std::function<api::ObjectPtr(const api::ObjectPtr&)> view_;
  bool initial_sent_ = false;
  bool finished_ = false;
};

// The batch that comes next, or nothing when the deadline came first.
base::Task<std::optional<base::Result<std::vector<datastore::EventPtr>>>> next_before(
    datastore::Watcher& watcher, base::Clock& clock, base::MonoTime deadline);

}  // namespace koi::apiserver
