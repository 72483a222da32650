#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/resource_catalog.h"
#include "controllers/controller.h"

namespace koi::controllers {

// Every kind that can be listed, in its preferred version, each followed by a shared informer: what
// garbage collection and namespace deletion look through. Objects stay shared with the server's own
// cache.
class Inventory {
 public:
  struct Entry {
    client::ResourceInfo info;
    client::Informer* informer = nullptr;
  };
  using Listener = std::function<void(const Entry& entry, const api::ObjectPtr& before,
                                      const api::ObjectPtr& after)>;

  Inventory(client::InformerFactory& informers, client::ResourceCatalog catalog);

  // Follows kinds that the catalog has gained. Kinds that went are kept: their caches run empty.
  void refresh();
  // Called for every change of every object; add before the informers start.
  void add_listener(Listener listener);
  base::Task<> wait_synced();

  const std::map<std::string, Entry>& entries() const { return entries_; }
  // The entry of an ownerReference's apiVersion and kind, or null.
  const Entry* find(std::string_view api_version, std::string_view kind) const;
  // Objects that name this uid as an owner.
  struct Item {
    const Entry* entry = nullptr;
    api::ObjectPtr object{};
  };
  std::vector<Item> dependents(const std::string& owner_uid) const;

 private:
  client::InformerFactory& informers_;
  client::ResourceCatalog catalog_;
  std::map<std::string, Entry> entries_;  // by entry_name()
  std::vector<Listener> listeners_;
};

// "group/Kind": the name of an entry, also in keys of queues.
std::string entry_name(const client::ResourceInfo& info);

}  // namespace koi::controllers
