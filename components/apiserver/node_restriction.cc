#include "apiserver/node_restriction.h"

#include "auth/node_authorizer.h"

namespace koi::apiserver {

namespace {

api::Status refused(const Call& call, const std::string& why) {
  return api::forbidden_status(call.about(), why);
}

}  // namespace

api::StatusOr<void> check_node_writes(const Call& call, const json::Value& object,
                                      const json::Value* before) {
  const auto node = auth::node_of(call.user);
  if (!node || call.user.is_master()) return {};
  const std::string_view plural = call.resource->plural();
  const std::string quoted = api::quoted(*node);
  if (plural == "nodes" || plural == "csinodes" || plural == "leases") {
    const std::string_view name = json::string_at(object, {"metadata", "name"});
    if (name == *node) return {};
    return std::unexpected(refused(call, "node " + quoted + " is not allowed to modify " +
                                             std::string(call.resource->kind->singular) + " " +
                                             api::quoted(name)));
  }
  if (plural != "pods") return {};
  const json::Value& pod = before != nullptr ? *before : object;
  if (before == nullptr &&
      json::find(pod, {"metadata", "annotations", "kubernetes.io/config.mirror"}) == nullptr) {
    return std::unexpected(refused(call,
                                   "pod does not have \"kubernetes.io/config.mirror\" "
                                   "annotation, node " +
                                       quoted + " can only create mirror pods"));
  }
  if (json::string_at(pod, {"spec", "nodeName"}) == *node) return {};
  return std::unexpected(
      refused(call, "node " + quoted + " can only write to pods with spec.nodeName set to itself"));
}

}  // namespace koi::apiserver
