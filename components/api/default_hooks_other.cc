#include <algorithm>
#include <cctype>
#include <string>

#include "api/default_hooks.h"

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

void role_ref(Object& object) {
  if (text_member(object, "apiGroup").empty()) object["apiGroup"] = rbac_group;
}

void subject(Object& object) {
  const std::string kind(text_member(object, "kind"));
  if (kind == "User" || kind == "Group") set_missing(object, "apiGroup", Value(rbac_group));
}

// A policy is for ingress, and for egress too where it has such rules.
void network_policy_spec(Object& object) {
  if (has(object, "policyTypes")) return;
  Array types{"Ingress"};
  const auto* egress = array_member(object, "egress");
  if (egress != nullptr && !egress->empty()) types.emplace_back("Egress");
  object["policyTypes"] = types;
}

void device_count(Object& object) {
  if (text_member(object, "allocationMode") == "ExactCount") {
    set_missing(object, "count", std::int64_t{1});
  }
}

void crd_spec(Object& object) {
  auto* names = object_member(object, "names");
  if (names == nullptr) return;
  const std::string kind(text_member(*names, "kind"));
  if (kind.empty()) return;
  std::string lower = kind;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  set_missing(*names, "singular", Value(lower));
  set_missing(*names, "listKind", Value(kind + "List"));
}

void pod_condition_pattern(Object& object) {
  if (text_member(object, "status").empty()) object["status"] = "True";
}

constexpr DefaultHook hooks[] = {
    {"rbac.v1.RoleRef", role_ref},
    {"rbac.v1.Subject", subject},
    {"networking.v1.NetworkPolicySpec", network_policy_spec},
    {"resource.v1.ExactDeviceRequest", device_count},
    {"resource.v1.DeviceSubRequest", device_count},
    {"batch.v1.PodFailurePolicyOnPodConditionsPattern", pod_condition_pattern},
    {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
     crd_spec},
};

}  // namespace

std::span<const DefaultHook> other_default_hooks() { return hooks; }

}  // namespace koi::api
