#include "apiserver/delete_options.h"

namespace koi::apiserver {

api::StatusOr<void> check_propagation(const DeleteQuery& query) {
  const std::string& policy = query.propagation_policy;
  if (policy.empty() || policy == "Background" || policy == "Foreground" || policy == "Orphan") {
    return {};
  }
  api::FieldErrors errors;
  errors.push_back(api::not_supported("propagationPolicy", json::Value(policy),
                                      {"Foreground", "Background", "Orphan", "nil"}));
  return std::unexpected(api::invalid_status("meta.k8s.io", "DeleteOptions", "", errors));
}

api::StatusOr<DeleteQuery> delete_query_from(const json::Value& body, std::string_view member) {
  DeleteQuery query;
  const json::Value* options = member.empty() ? &body : json::find(body, {member});
  if (options == nullptr || !options->is_object()) return query;
  query.grace_period_seconds = json::int_at(*options, {"gracePeriodSeconds"});
  query.propagation_policy = json::string_at(*options, {"propagationPolicy"});
  const json::Value* orphan = json::find(*options, {"orphanDependents"});
  if (orphan != nullptr && orphan->is_bool()) {
    query.propagation_policy = orphan->get_bool() ? "Orphan" : "Background";
  }
  query.uid = json::string_at(*options, {"preconditions", "uid"});
  query.resource_version = json::string_at(*options, {"preconditions", "resourceVersion"});
  if (auto checked = check_propagation(query); !checked) return std::unexpected(checked.error());
  return query;
}

}  // namespace koi::apiserver
