#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "client/work_queue.h"
#include "controllers/controller.h"
#include "controllers/inventory.h"
#include "controllers/namespace_plan.h"

namespace koi::controllers {

// Empties a namespace that is being deleted, pods first, and then lets it go.
class NamespaceController final : public Controller {
 public:
  NamespaceController(Context context, Inventory& inventory);
  void start() override;

 private:
  base::Task<base::Result<>> reconcile(std::string name);
  NamespaceContents look(const std::string& name) const;
  base::Task<base::Result<>> delete_all(const Inventory::Entry& entry, const std::string& name);
  base::Task<> delete_one(const Inventory::Entry& entry, api::ObjectPtr object,
                          base::Result<>& outcome);
  base::Task<base::Result<bool>> verify_empty(const std::string& name);
  base::Task<base::Result<>> finalize(const api::ObjectPtr& object);
  base::Task<base::Result<>> report(const api::ObjectPtr& object,
                                    const NamespaceContents& contents);

  Context context_;
  Inventory& inventory_;
  client::Informer& namespaces_;
  client::WorkQueue queue_;
  std::unordered_set<std::string> deleting_;  // uids that were asked to go
};

}  // namespace koi::controllers
