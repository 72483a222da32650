#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/event.h"
#include "base/random.h"
#include "base/time.h"
#include "client/api_client.h"

namespace koi::client {

// What an informer follows.
struct InformerScope {
  Resource resource{};
  std::string name_space{};  // empty: all
  std::string label_selector{};
  std::string field_selector{};

  friend auto operator<=>(const InformerScope&, const InformerScope&) = default;
};

// A resource, listed once and then watched into a cache of shared immutable objects. Survives lost
// watches (goes on from where it was) and compaction (lists again and reports the differences).
// One executor; all calls on it.
class Informer {
 public:
  // `before` is null for an added object, `after` for a deleted one. Called on the executor after
  // the cache has changed; must not add listeners or indexes.
  using Listener = std::function<void(const api::ObjectPtr& before, const api::ObjectPtr& after)>;
  // Appends the values under which an object is found.
  using IndexFunction =
      std::function<void(const api::Object& object, std::vector<std::string>& values)>;

  Informer(ApiClient& client, base::Clock& clock, base::Random& random,
           const base::Executor& executor, InformerScope scope);

  // The listener first sees every object already in the cache as added.
  void add_listener(Listener listener);
  // Does nothing where an index of that name exists.
  void add_index(const std::string& name, IndexFunction function);

  // Null where the key is not cached. Keys are those of client/object_key.h.
  api::ObjectPtr find(std::string_view key) const;
  api::ObjectPtr find(std::string_view name_space, std::string_view name) const;
  // In the order of their keys.
  std::vector<api::ObjectPtr> list() const;
  std::vector<api::ObjectPtr> list(std::string_view name_space) const;
  // Those for which the index function gave `value`, in the order of their keys.
  std::vector<api::ObjectPtr> with_index(const std::string& index, const std::string& value) const;
  std::size_t size() const { return objects_.size(); }
  std::size_t count(std::string_view name_space) const;

  bool has_synced() const { return synced_; }
  // Returns once the first list is in the cache.
  base::Task<> wait_synced();

  // Puts the answer of a write into the cache ahead of its watch event, so that who wrote reads its
  // own write. Ignored when the cache is already past it.
  void absorb(const api::ObjectPtr& object);

  // Follows the resource until cancelled. Run once.
  base::Task<> run();

  const InformerScope& scope() const { return scope_; }

 private:
  struct Index {
    IndexFunction function;
    std::unordered_map<std::string, std::map<std::string, api::ObjectPtr>> values;
  };

  base::Task<base::Result<>> relist();
  base::Task<base::Result<>> follow();
  base::Task<> back_off(const base::Error& error);
  void apply(const WatchEvent& event);
  void replace(const ObjectList& list);
  void put(const api::ObjectPtr& object, bool even_if_older);
  void erase(const std::string& key, const api::ObjectPtr& last);
  static void index_add(Index& index, const std::string& key, const api::ObjectPtr& object);
  static void index_remove(Index& index, const std::string& key, const api::ObjectPtr& object);
  void announce(const api::ObjectPtr& before, const api::ObjectPtr& after);

  ApiClient& client_;
  base::Clock& clock_;
  base::Random& random_;
  const InformerScope scope_;

  std::map<std::string, api::ObjectPtr, std::less<>> objects_;
  std::unordered_map<std::string, Index> indexes_;
  std::vector<Listener> listeners_;
  base::Event synced_event_;
  bool synced_ = false;
  std::string position_;        // resourceVersion up to which the cache is complete
  std::uint64_t revision_ = 0;  // the same as a number
  int failures_ = 0;
};

}  // namespace koi::client
