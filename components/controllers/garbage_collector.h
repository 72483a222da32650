#pragma once

#include <string>

#include "client/work_queue.h"
#include "controllers/collection_plan.h"
#include "controllers/controller.h"
#include "controllers/inventory.h"

namespace koi::controllers {

// Deletes what its owners left behind, and carries out foreground and orphaning deletion. Looks at
// an object only when it, one of its owners or one of its dependents changes; an owner that no
// cache knows is asked for before anything is deleted for its absence.
class GarbageCollector final : public Controller {
 public:
  GarbageCollector(Context context, Inventory& inventory);
  void start() override;

 private:
  void on_change(const Inventory::Entry& entry, const api::ObjectPtr& before,
                 const api::ObjectPtr& after);
  void enqueue(const Inventory::Entry& entry, const api::Object& object);
  void enqueue_dependents(const api::Object& owner);
  void enqueue_waiting_owners(const api::Object& dependent);
  bool has_doubtful_owner(const api::Object& object) const;
  api::ObjectPtr cached_owner(const json::Value& reference, const api::Object& dependent) const;

  base::Task<base::Result<>> collect(std::string key);
  base::Task<base::Result<OwnerFate>> judge(const json::Value& reference,
                                            const api::Object& dependent);
  base::Task<base::Result<>> perform(const Inventory::Entry& entry, const api::ObjectPtr& object,
                                     const CollectionPlan& plan);
  base::Task<base::Result<>> orphan(const Inventory::Entry& entry, const api::ObjectPtr& owner);
  base::Task<base::Result<>> write_list(const Inventory::Entry& entry, const api::ObjectPtr& object,
                                        std::string_view field, json::Array list);
  base::Task<base::Result<>> remove(const Inventory::Entry& entry, const api::ObjectPtr& object,
                                    const std::string& policy);

  Context context_;
  Inventory& inventory_;
  client::WorkQueue queue_;
};

}  // namespace koi::controllers
