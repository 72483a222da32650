#include "controllers/owner.h"

#include "client/object_key.h"

namespace koi::controllers {

json::Value controller_reference(const api::Object& owner, std::string_view api_version,
                                 std::string_view kind) {
  return json::Object{{"apiVersion", api_version}, {"kind", kind},
                      {"name", owner.name()},      {"uid", owner.uid()},
                      {"controller", true},        {"blockOwnerDeletion", true}};
}

json::Value pod_from_template(const json::Value& pod_template, const json::Value& reference,
                              std::string_view name_space, std::string_view prefix) {
  json::Value pod = json::Object{{"apiVersion", "v1"}, {"kind", "Pod"}};
  for (const std::string_view copied : {"labels", "annotations", "finalizers"}) {
    if (const auto* value = json::find(pod_template, {"metadata", copied})) {
      json::set(pod, {"metadata", copied}, *value);
    }
  }
  json::set(pod, {"metadata", "generateName"}, client::text(std::string(prefix) + "-"));
  json::set(pod, {"metadata", "namespace"}, client::text(name_space));
  json::set(pod, {"metadata", "ownerReferences"}, json::Array{reference});
  const auto* spec = json::find(pod_template, {"spec"});
  json::set(pod, {"spec"}, spec != nullptr ? *spec : json::Value(json::Object()));
  return pod;
}

json::Value make_condition(std::string_view type, bool holds, std::string_view reason,
                           std::string_view message, std::string_view now) {
  return json::Object{{"type", type},
                      {"status", holds ? "True" : "False"},
                      {"reason", reason},
                      {"message", message},
                      {"lastTransitionTime", now}};
}

}  // namespace koi::controllers
