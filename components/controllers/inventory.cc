#include "controllers/inventory.h"

namespace koi::controllers {

namespace {

constexpr const char* index_by_owner = "owner uid";

void index_owners(const api::Object& object, std::vector<std::string>& values) {
  for (const auto& owner : json::array_at(object.value(), {"metadata", "ownerReferences"})) {
    values.emplace_back(json::string_at(owner, {"uid"}));
  }
}

}  // namespace

std::string entry_name(const client::ResourceInfo& info) {
  return info.resource.group + "/" + info.kind;
}

Inventory::Inventory(client::InformerFactory& informers, client::ResourceCatalog catalog)
    : informers_(informers), catalog_(std::move(catalog)) {
  refresh();
}

void Inventory::refresh() {
  for (auto& info : catalog_()) {
    // Events are many, own nothing and expire by themselves.
    if (!info.listable || info.resource.plural == "events") continue;
    const auto [at, fresh] = entries_.try_emplace(entry_name(info));
    if (!fresh) continue;
    Entry& entry = at->second;
    entry.informer = &informers_.informer(info.resource);
    entry.info = std::move(info);
    entry.informer->add_index(index_by_owner, index_owners);
    entry.informer->add_listener(
        [this, &entry](const api::ObjectPtr& before, const api::ObjectPtr& after) {
          for (const auto& listener : listeners_) listener(entry, before, after);
        });
  }
}

void Inventory::add_listener(Listener listener) { listeners_.push_back(std::move(listener)); }

base::Task<> Inventory::wait_synced() {
  std::vector<client::Informer*> all;
  for (const auto& [name, entry] : entries_) all.push_back(entry.informer);
  for (auto* informer : all) co_await informer->wait_synced();
}

const Inventory::Entry* Inventory::find(std::string_view api_version, std::string_view kind) const {
  // An owner may be named in any version of its group.
  const auto slash = api_version.find('/');
  const auto group =
      slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
  const auto at = entries_.find(std::string(group) + "/" + std::string(kind));
  return at != entries_.end() ? &at->second : nullptr;
}

std::vector<Inventory::Item> Inventory::dependents(const std::string& owner_uid) const {
  std::vector<Item> items;
  for (const auto& [name, entry] : entries_) {
    for (auto& object : entry.informer->with_index(index_by_owner, owner_uid)) {
      items.push_back({.entry = &entry, .object = std::move(object)});
    }
  }
  return items;
}

}  // namespace koi::controllers
