#pragma once

#include <string>
#include <vector>

#include "api/selectors.h"
#include "base/task.h"
#include "controllers/controller.h"

namespace koi::controllers {

// Who claims children.
struct Claimant {
  client::Resource resource{};
  std::string kind{};  // "ReplicaSet"
  api::ObjectPtr object{};
  api::LabelSelector selector{};
};

// Which children are the claimant's, which it should adopt and which let go.
struct ClaimPlan {
  std::vector<api::ObjectPtr> mine{};
  std::vector<api::ObjectPtr> adopt{};
  std::vector<api::ObjectPtr> release{};
};

// `candidates` are objects of the claimant's namespace that it controls or that nobody does.
ClaimPlan plan_claims(const Claimant& claimant, const std::vector<api::ObjectPtr>& candidates);

// Carries the plan out for the children of that resource that the informer knows (which must have
// the indexes by controller and of orphans). Returns what the claimant owns now. Before it adopts,
// it makes sure with the API that the claimant still exists and is not being deleted.
base::Task<base::Result<std::vector<api::ObjectPtr>>> claim(Context& context,
                                                            const Claimant& claimant,
                                                            client::Informer& children);

// Adds the indexes that claim() needs.
void index_for_claims(client::Informer& children);

}  // namespace koi::controllers
