#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/references.h"
#include "base/random.h"
#include "base/task.h"
#include "base/time.h"
#include "client/informer.h"

namespace koi::agent {

// Follows the ConfigMaps and Secrets that the node's pods name, each by its own watch: the agent
// may read no others. One executor; all calls on it.
class ReferenceCache {
 public:
  // Told when an object was read for the first time, changed or went away.
  using Changed = std::function<void(const std::string& name_space, const ReferenceKey& key)>;

  ReferenceCache(client::ApiClient& api, base::Clock& clock, base::Random& random,
                 const base::Executor& executor, Changed changed);
  ~ReferenceCache();

  // Keeps an object followed for as long as the hold lives. Holds end before the cache does.
  class Hold {
   public:
    Hold(ReferenceCache& cache, std::string name_space, ReferenceKey key);
    ~Hold();
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    Hold(const Hold&) = delete;

   private:
    ReferenceCache* cache_;
    std::string name_space_;
    ReferenceKey key_;
  };

  // Empty before the first read; null where the object does not exist.
  std::optional<api::ObjectPtr> find(const std::string& name_space, const ReferenceKey& key) const;

  base::Task<> stop();

 private:
  struct Entry;
  using Key = std::pair<std::string, ReferenceKey>;

  void acquire(const Key& key);
  void release(const Key& key);
  static base::Task<> follow(ReferenceCache& cache, Key key, client::Informer& informer);
  static base::Task<> retire(std::unique_ptr<Entry> entry);

  client::ApiClient& api_;
  base::Clock& clock_;
  base::Random& random_;
  Changed changed_;
  base::TaskGroup tasks_;
  std::map<Key, std::unique_ptr<Entry>> entries_;
};

}  // namespace koi::agent
