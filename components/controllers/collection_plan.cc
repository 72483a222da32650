#include "controllers/collection_plan.h"

#include <algorithm>

namespace koi::controllers {

bool has_finalizer(const json::Value& object, std::string_view finalizer) {
  const auto& all = json::array_at(object, {"metadata", "finalizers"});
  return std::any_of(all.begin(), all.end(), [finalizer](const json::Value& each) {
    return json::string_at(each, {}) == finalizer;
  });
}

json::Array without_finalizer(const json::Value& object, std::string_view finalizer) {
  json::Array rest;
  for (const auto& each : json::array_at(object, {"metadata", "finalizers"})) {
    if (json::string_at(each, {}) != finalizer) rest.push_back(each);
  }
  return rest;
}

json::Array without_owners(const json::Value& object, const std::vector<std::string>& uids) {
  json::Array rest;
  for (const auto& each : json::array_at(object, {"metadata", "ownerReferences"})) {
    const auto uid = json::string_at(each, {"uid"});
    if (std::find(uids.begin(), uids.end(), uid) == uids.end()) rest.push_back(each);
  }
  return rest;
}

bool is_deleting_dependents(const api::Object& object) {
  return object.is_terminating() && has_finalizer(object.value(), foreground_finalizer);
}

bool is_orphaning(const api::Object& object) {
  return object.is_terminating() && has_finalizer(object.value(), orphan_finalizer);
}

CollectionPlan plan_collection(const CollectionFacts& facts) {
  using Step = CollectionPlan::Step;
  if (is_orphaning(facts.object)) return {.step = Step::orphan_dependents};
  if (is_deleting_dependents(facts.object)) {
    return {.step =
                facts.has_blocking_dependents ? Step::delete_dependents : Step::finish_foreground};
  }
  if (facts.object.is_terminating() || facts.owners.empty()) return {};
  bool any_lives = false;
  bool any_waits = false;
  CollectionPlan plan;
  for (const auto& owner : facts.owners) {
    if (owner.fate == OwnerFate::lives) {
      any_lives = true;
    } else {
      plan.drop.push_back(owner.uid);
      any_waits |= owner.fate == OwnerFate::waiting;
    }
  }
  if (any_lives) {
    plan.step = plan.drop.empty() ? Step::nothing : Step::drop_owners;
    return plan;
  }
  plan.step = Step::remove;
  plan.drop.clear();
  const json::Value& value = facts.object.value();
  if (any_waits && facts.has_dependents) {
    plan.policy = "Foreground";
  } else if (has_finalizer(value, orphan_finalizer)) {
    plan.policy = "Orphan";
  } else if (has_finalizer(value, foreground_finalizer)) {
    plan.policy = "Foreground";
  } else {
    plan.policy = "Background";
  }
  return plan;
}

}  // namespace koi::controllers
