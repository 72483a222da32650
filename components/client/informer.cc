#include "client/informer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "client/object_key.h"

namespace koi::client {

namespace {

using namespace std::chrono_literals;

constexpr base::Duration back_off_min = 500ms;
constexpr base::Duration back_off_max = 30s;
constexpr int back_off_doublings_max = 6;

}  // namespace

Informer::Informer(ApiClient& client, base::Clock& clock, base::Random& random,
                   const base::Executor& executor, InformerScope scope)
    : client_(client),
      clock_(clock),
      random_(random),
      scope_(std::move(scope)),
      synced_event_(executor) {}

void Informer::add_listener(Listener listener) {
  listeners_.push_back(std::move(listener));
  const Listener& added = listeners_.back();
  for (const auto& [key, object] : objects_) added(nullptr, object);
}

void Informer::add_index(const std::string& name, IndexFunction function) {
  const auto [at, fresh] = indexes_.try_emplace(name);
  if (!fresh) return;
  at->second.function = std::move(function);
  for (const auto& [key, object] : objects_) index_add(at->second, key, object);
}

api::ObjectPtr Informer::find(std::string_view key) const {
  const auto at = objects_.find(key);
  return at != objects_.end() ? at->second : nullptr;
}

api::ObjectPtr Informer::find(std::string_view name_space, std::string_view name) const {
  return find(make_key(name_space, name));
}

std::vector<api::ObjectPtr> Informer::list() const {
  std::vector<api::ObjectPtr> found;
  found.reserve(objects_.size());
  for (const auto& [key, object] : objects_) found.push_back(object);
  return found;
}

std::vector<api::ObjectPtr> Informer::list(std::string_view name_space) const {
  std::vector<api::ObjectPtr> found;
  const std::string prefix = std::string(name_space) + "/";
  for (auto at = objects_.lower_bound(prefix); at != objects_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    found.push_back(at->second);
  }
  return found;
}

std::size_t Informer::count(std::string_view name_space) const {
  const std::string first = std::string(name_space) + "/";
  const std::string last = std::string(name_space) + "0";  // '0' follows '/'
  return static_cast<std::size_t>(
      std::distance(objects_.lower_bound(first), objects_.lower_bound(last)));
}

std::vector<api::ObjectPtr> Informer::with_index(const std::string& index,
                                                 const std::string& value) const {
  std::vector<api::ObjectPtr> found;
  const auto at = indexes_.find(index);
  if (at == indexes_.end()) return found;
  const auto entry = at->second.values.find(value);
  if (entry == at->second.values.end()) return found;
  found.reserve(entry->second.size());
  for (const auto& [key, object] : entry->second) found.push_back(object);
  return found;
}

base::Task<> Informer::wait_synced() {
  while (!synced_) co_await synced_event_.wait();
}

void Informer::absorb(const api::ObjectPtr& object) {
  if (!synced_ || object == nullptr) return;
  // Up to revision_ the cache holds all there is: an older answer may be of an object gone since.
  if (revision_of(*object) <= revision_) return;
  put(object, false);
}

base::Task<> Informer::run() {
  bool listed = false;
  while (true) {
    base::Result<> outcome;
    if (!listed) {
      outcome = co_await relist();
      listed = outcome.has_value();
    }
    if (outcome) outcome = co_await follow();
    if (outcome) continue;
    if (outcome.error().code == base::Code::expired) listed = false;
    co_await back_off(outcome.error());
  }
}

base::Task<> Informer::back_off(const base::Error& error) {
  const int doublings = std::min(failures_++, back_off_doublings_max);
  const auto whole = std::min<base::Duration>(back_off_min * (1 << doublings), back_off_max);
  const auto jitter = base::Duration(
      static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(whole.count()))));
  base::log::debug(
      "informer.retry",
      {{"resource", scope_.resource.plural}, {"error", error.message}, {"next", "trying again"}});
  co_await clock_.sleep_for(whole / 2 + jitter / 2);
}

base::Task<base::Result<>> Informer::relist() {
  ObjectList whole;
  ListOptions options{.label_selector = scope_.label_selector,
                      .field_selector = scope_.field_selector};
  do {
    auto page = co_await client_.list(scope_.resource, scope_.name_space, options);
    if (!page) co_return base::fail(std::move(page).error());
    whole.resource_version = page->resource_version;
    options.continue_token = page->continue_token;
    if (whole.items.empty()) {
      whole.items = std::move(page->items);
    } else {
      std::move(page->items.begin(), page->items.end(), std::back_inserter(whole.items));
    }
  } while (!options.continue_token.empty());
  replace(whole);
  synced_ = true;
  synced_event_.notify_all();
  co_return base::Result<>();
}

base::Task<base::Result<>> Informer::follow() {
  const WatchOptions options{.label_selector = scope_.label_selector,
                             .field_selector = scope_.field_selector,
                             .resource_version = position_};
  auto watch = co_await client_.watch(scope_.resource, scope_.name_space, options);
  if (!watch) co_return base::fail(std::move(watch).error());
  while (true) {
    auto events = co_await (*watch)->next();
    if (!events) co_return base::fail(std::move(events).error());
    failures_ = 0;
    for (const auto& event : *events) apply(event);
  }
}

void Informer::apply(const WatchEvent& event) {
  const auto revision = revision_of(*event.object);
  // A watch may repeat what a relist has brought already.
  if (revision != 0 && revision <= revision_) return;
  position_ = std::string(event.object->resource_version());
  revision_ = revision;
  switch (event.type) {
    case WatchType::bookmark:
      return;
    case WatchType::added:
    case WatchType::modified:
      put(event.object, false);
      return;
    case WatchType::deleted:
      erase(key_of(*event.object), event.object);
      return;
  }
}

void Informer::replace(const ObjectList& list) {
  const auto revision = parse_revision(list.resource_version);
  // A server restored from a backup counts on from an earlier revision: then what is cached is
  // void.
  const bool rewound = revision < revision_;
  position_ = list.resource_version;
  revision_ = revision;
  std::set<std::string, std::less<>> present;
  for (const auto& object : list.items) {
    present.insert(key_of(*object));
    put(object, rewound);
  }
  std::vector<std::string> gone;
  for (const auto& [key, object] : objects_) {
    const bool absorbed = !rewound && revision_of(*object) > revision_;
    if (!present.contains(key) && !absorbed) gone.push_back(key);
  }
  for (const auto& key : gone) erase(key, nullptr);
}

void Informer::put(const api::ObjectPtr& object, bool even_if_older) {
  auto key = key_of(*object);
  const auto [at, fresh] = objects_.try_emplace(std::move(key), object);
  api::ObjectPtr before;
  if (!fresh) {
    const auto known = revision_of(*at->second);
    const auto fresh_revision = revision_of(*object);
    if (known == fresh_revision && known != 0) return;
    if (known > fresh_revision && !even_if_older) return;
    before = std::exchange(at->second, object);
  }
  for (auto& [name, index] : indexes_) {
    if (before != nullptr) index_remove(index, at->first, before);
    index_add(index, at->first, object);
  }
  announce(before, object);
}

void Informer::erase(const std::string& key, const api::ObjectPtr& last) {
  const auto at = objects_.find(key);
  if (at == objects_.end()) return;
  const auto cached = at->second;
  for (auto& [name, index] : indexes_) index_remove(index, key, cached);
  objects_.erase(at);
  announce(last != nullptr ? last : cached, nullptr);
}

void Informer::index_add(Index& index, const std::string& key, const api::ObjectPtr& object) {
  std::vector<std::string> values;
  index.function(*object, values);
  for (const auto& value : values) index.values[value].insert_or_assign(key, object);
}

void Informer::index_remove(Index& index, const std::string& key, const api::ObjectPtr& object) {
  std::vector<std::string> values;
  index.function(*object, values);
  for (const auto& value : values) {
    const auto at = index.values.find(value);
    if (at == index.values.end()) continue;
    at->second.erase(key);
    if (at->second.empty()) index.values.erase(at);
  }
}

void Informer::announce(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  for (const auto& listener : listeners_) listener(before, after);
}

}  // namespace koi::client
