#include "apiserver/pod_defaults.h"

#include <algorithm>
#include <string>

namespace koi::apiserver {

namespace {

constexpr std::string_view access_path = "/var/run/secrets/kubernetes.io/serviceaccount";
// A little over an hour: renewals at the hour never meet an expired token.
constexpr int token_seconds = 3607;
constexpr int eviction_seconds = 300;

bool wants_access(const json::Value& pod, const json::Value& account) {
  const json::Value* own = json::find(pod, {"spec", "automountServiceAccountToken"});
  if (own != nullptr && own->is_bool()) return own->get_bool();
  return json::bool_at(account, {"automountServiceAccountToken"}, true);
}

json::Value access_volume(const std::string& name) {
  json::Array sources;
  sources.push_back(
      {{"serviceAccountToken", {{"expirationSeconds", token_seconds}, {"path", "token"}}}});
  json::Array certificate_items;
  certificate_items.push_back({{"key", "ca.crt"}, {"path", "ca.crt"}});
  sources.push_back(
      {{"configMap", {{"name", "kube-root-ca.crt"}, {"items", std::move(certificate_items)}}}});
  json::Array namespace_items;
  namespace_items.push_back(
      {{"path", "namespace"},
       {"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}}}});
  sources.push_back({{"downwardAPI", {{"items", std::move(namespace_items)}}}});
  return {{"name", name}, {"projected", {{"sources", std::move(sources)}, {"defaultMode", 420}}}};
}

bool tolerates(const json::Value& toleration, std::string_view key) {
  const std::string_view own_key = json::string_at(toleration, {"key"});
  const std::string_view effect = json::string_at(toleration, {"effect"});
  return (own_key == key || own_key.empty()) && (effect == "NoExecute" || effect.empty());
}

}  // namespace

bool is_mirror_pod(const json::Value& pod) {
  return json::find(pod, {"metadata", "annotations", "kubernetes.io/config.mirror"}) != nullptr;
}

void add_api_access(json::Value& pod, const json::Value& account, base::Random& random) {
  const json::Array& secrets = json::array_at(account, {"imagePullSecrets"});
  if (!secrets.empty() && json::array_at(pod, {"spec", "imagePullSecrets"}).empty()) {
    json::set(pod, {"spec", "imagePullSecrets"}, secrets);
  }
  if (!wants_access(pod, account)) return;
  const std::string volume = "kube-api-access-" + random.name_suffix(5);
  bool is_used = false;
  for (const std::string_view list : {"containers", "initContainers"}) {
    if (json::array_at(pod, {"spec", list}).empty()) continue;
    for (json::Value& container : json::ensure_array(pod, {"spec", list})) {
      const json::Array& mounts = json::array_at(container, {"volumeMounts"});
      const bool is_taken = std::ranges::any_of(mounts, [](const json::Value& mount) {
        return json::string_at(mount, {"mountPath"}) == access_path;
      });
      if (is_taken) continue;
      is_used = true;
      json::ensure_array(container, {"volumeMounts"})
          .push_back({{"name", volume}, {"readOnly", true}, {"mountPath", access_path}});
    }
  }
  if (is_used) json::ensure_array(pod, {"spec", "volumes"}).push_back(access_volume(volume));
}

void add_default_tolerations(json::Value& pod) {
  for (const std::string_view key :
       {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    const bool has_own = std::ranges::any_of(
        json::array_at(pod, {"spec", "tolerations"}),
        [key](const json::Value& toleration) { return tolerates(toleration, key); });
    if (has_own) continue;
    json::ensure_array(pod, {"spec", "tolerations"})
        .push_back({{"key", key},
                    {"operator", "Exists"},
                    {"effect", "NoExecute"},
                    {"tolerationSeconds", eviction_seconds}});
  }
}

}  // namespace koi::apiserver
