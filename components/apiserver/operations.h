#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/status.h"
#include "apiserver/call.h"
#include "apiserver/event_stream.h"
#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "datastore/store.h"

namespace koi::apiserver {

class Admission;

template <class T>
using Outcome = base::Task<api::StatusOr<T>>;

enum class PatchKind { json, merge, strategic_merge };

// Computes the new content of an object from its present one.
using Change = std::function<api::StatusOr<json::Value>(const json::Value& current)>;

// The verbs of the API on stored objects, whatever the transport. Callers were authenticated and
// authorized before. Reads are answered at once from memory. Calls outlive the task they start. Any
// thread.
class Operations {
 public:
  struct Doors {
    datastore::Store& store;
    base::Clock& clock;
    base::Random& random;
    const Catalog& catalog;
    Admission& admission;
  };

  explicit Operations(const Doors& doors) : doors_(doors) {}

  api::StatusOr<api::ObjectPtr> get(const Call& call) const;
  api::StatusOr<ListResult> list(const Call& call, const ListQuery& query) const;
  api::StatusOr<std::unique_ptr<EventStream>> watch(const Call& call,
                                                    const WatchQuery& query) const;

  Outcome<Written> create(const Call& call, json::Value object);
  Outcome<Written> update(const Call& call, json::Value object);
  // The body is a JSON patch's array or a merge patch's object.
  Outcome<Written> patch(const Call& call, PatchKind kind, const json::Value& patch);
  // Reads, changes and writes until no other writer came between. For subresources whose body is
  // not the object itself.
  Outcome<Written> change(const Call& call, const Change& change);

  Outcome<Removed> remove(const Call& call, const DeleteQuery& query);
  Outcome<ListResult> remove_collection(const Call& call, const ListQuery& selection,
                                        const DeleteQuery& query);

  datastore::Store& store() const { return doors_.store; }
  const Catalog& catalog() const { return doors_.catalog; }
  base::Clock& clock() const { return doors_.clock; }
  base::Random& random() const { return doors_.random; }

 private:
  datastore::EntryPtr find(const Call& call) const;
  Outcome<Written> commit_new(const Call& call, json::Value object);
  Outcome<Written> commit_over(const Call& call, const datastore::EntryPtr& current,
                               json::Value object);
  Outcome<Removed> remove_once(const Call& call, const DeleteQuery& query,
                               const datastore::EntryPtr& current);
  Outcome<Removed> commit_removal(const Call& call, const datastore::EntryPtr& current);

  Doors doors_;
};

// The `write` that stores `object` once its revision is known.
std::function<api::ObjectPtr(datastore::Revision)> maker_of(json::Value object);

}  // namespace koi::apiserver
