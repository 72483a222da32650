#include "controllers/namespace_plan.h"

#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

std::string listed(const std::map<std::string, std::size_t>& counts, std::string_view verb) {
  std::string text;
  for (const auto& [name, count] : counts) {
    if (!text.empty()) text.append(", ");
    text.append(name).append(verb).append(std::to_string(count)).append(" resource instances");
  }
  return text;
}

// Keeps the transition time where the status stays.
void put(json::Array& conditions, json::Value fresh) {
  const auto type = json::string_at(fresh, {"type"});
  for (auto& each : conditions) {
    if (json::string_at(each, {"type"}) != type) continue;
    if (json::string_at(each, {"status"}) == json::string_at(fresh, {"status"})) {
      if (const auto* since = json::find(each, {"lastTransitionTime"})) {
        json::set(fresh, {"lastTransitionTime"}, *since);
      }
    }
    each = std::move(fresh);
    return;
  }
  conditions.push_back(std::move(fresh));
}

}  // namespace

json::Array namespace_conditions(const json::Value& object, const NamespaceContents& contents,
                                 base::WallTime now) {
  json::Array conditions = json::array_at(object, {"status", "conditions"});
  const auto time = base::format_time(now);
  put(conditions, make_condition("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
                                 "All resources successfully discovered", time));
  put(conditions,
      make_condition("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
                     "All legacy kube types successfully parsed", time));
  if (contents.failure.empty()) {
    put(conditions,
        make_condition("NamespaceDeletionContentFailure", false, "ContentDeleted",
                       "All content successfully deleted, may be waiting on finalization", time));
  } else {
    put(conditions, make_condition("NamespaceDeletionContentFailure", true, "ContentDeletionFailed",
                                   contents.failure, time));
  }
  if (contents.resources.empty()) {
    put(conditions, make_condition("NamespaceContentRemaining", false, "ContentRemoved",
                                   "All content successfully removed", time));
  } else {
    put(conditions,
        make_condition("NamespaceContentRemaining", true, "SomeResourcesRemain",
                       "Some resources are remaining: " + listed(contents.resources, " has "),
                       time));
  }
  if (contents.finalizers.empty()) {
    put(conditions, make_condition("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers",
                                   "All content-preserving finalizers finished", time));
  } else {
    put(conditions, make_condition("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
                                   "Some content in the namespace has finalizers remaining: " +
                                       listed(contents.finalizers, " in "),
                                   time));
  }
  return conditions;
}

}  // namespace koi::controllers
