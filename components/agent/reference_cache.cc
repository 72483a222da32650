#include "agent/reference_cache.h"

#include <utility>

namespace koi::agent {

struct ReferenceCache::Entry {
  Entry(ReferenceCache& cache, const client::InformerScope& scope)
      : informer(cache.api_, cache.clock_, cache.random_, cache.tasks_.executor(), scope),
        tasks(cache.tasks_.executor()) {}

  client::Informer informer;
  base::TaskGroup tasks;
  std::size_t holds = 0;
};

ReferenceCache::ReferenceCache(client::ApiClient& api, base::Clock& clock, base::Random& random,
                               const base::Executor& executor, Changed changed)
    : api_(api), clock_(clock), random_(random), changed_(std::move(changed)), tasks_(executor) {}

ReferenceCache::~ReferenceCache() = default;

ReferenceCache::Hold::Hold(ReferenceCache& cache, std::string name_space, ReferenceKey key)
    : cache_(&cache), name_space_(std::move(name_space)), key_(std::move(key)) {
  cache_->acquire({name_space_, key_});
}

ReferenceCache::Hold::~Hold() {
  if (cache_) cache_->release({name_space_, key_});
}

ReferenceCache::Hold::Hold(Hold&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)),
      name_space_(std::move(other.name_space_)),
      key_(std::move(other.key_)) {}

std::optional<api::ObjectPtr> ReferenceCache::find(const std::string& name_space,
                                                   const ReferenceKey& key) const {
  const auto found = entries_.find({name_space, key});
  if (found == entries_.end() || !found->second->informer.has_synced()) return std::nullopt;
  return found->second->informer.find(name_space, key.name);
}

void ReferenceCache::acquire(const Key& key) {
  auto& entry = entries_[key];
  if (!entry) {
    client::InformerScope scope;
    const bool secret = key.second.kind == ReferenceKind::secret;
    scope.resource = client::Resource{"", "v1", secret ? "secrets" : "configmaps"};
    scope.name_space = key.first;
    scope.field_selector = "metadata.name=" + key.second.name;
    entry = std::make_unique<Entry>(*this, scope);
    entry->tasks.spawn("informer", entry->informer.run());
    entry->tasks.spawn("follow", follow(*this, key, entry->informer));
  }
  ++entry->holds;
}

void ReferenceCache::release(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || --found->second->holds > 0) return;
  auto entry = std::move(found->second);
  entries_.erase(found);
  tasks_.spawn("retire", retire(std::move(entry)));
}

base::Task<> ReferenceCache::follow(ReferenceCache& cache, Key key, client::Informer& informer) {
  co_await informer.wait_synced();
  cache.changed_(key.first, key.second);
  informer.add_listener([&cache, key](const api::ObjectPtr&, const api::ObjectPtr&) {
    cache.changed_(key.first, key.second);
  });
}

base::Task<> ReferenceCache::retire(std::unique_ptr<Entry> entry) { co_await entry->tasks.stop(); }

base::Task<> ReferenceCache::stop() {
  for (auto& [key, entry] : entries_) co_await entry->tasks.stop();
  entries_.clear();
  co_await tasks_.wait_idle();
  co_await tasks_.stop();
}

}  // namespace koi::agent
