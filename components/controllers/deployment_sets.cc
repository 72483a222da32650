#include "controllers/deployment_sets.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "client/object_key.h"
#include "controllers/owner.h"

namespace koi::controllers {

namespace {

using client::text;

constexpr std::array not_copied{
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
};

std::int64_t resolve_percent(std::int64_t percent, std::int64_t total, bool round_up) {
  return (percent * total + (round_up ? 99 : 0)) / 100;
}

std::int64_t resolve(const json::Value* value, std::int64_t total, bool round_up) {
  if (value == nullptr) return resolve_percent(25, total, round_up);
  return resolve_count(*value, total, round_up);
}

// FNV-1a over the value with its members in order of their names.
class CanonicalHash {
 public:
  void add(const json::Value& value) {
    if (const auto* object = value.if_object()) {
      std::vector<std::string_view> names;
      for (const auto& [name, member] : *object) names.push_back(name);
      std::sort(names.begin(), names.end());
      add_text("{");
      for (const auto name : names) {
        add_text(name);
        add_text(":");
        add(*object->if_contains(name));
      }
      add_text("}");
    } else if (const auto* array = value.if_array()) {
      add_text("[");
      for (const auto& element : *array) add(element);
      add_text("]");
    } else {
      add_text(json::serialize(value));
      add_text(",");
    }
  }
  void add_text(std::string_view characters) {
    for (const char each : characters) {
      state_ = (state_ ^ static_cast<unsigned char>(each)) * 16'777'619U;
    }
  }
  std::uint32_t value() const { return state_; }

 private:
  std::uint32_t state_ = 2'166'136'261U;
};

// The hash label belongs to the ReplicaSet; labels and annotations that are empty count as absent.
json::Value comparable_template(const json::Value& workload) {
  const auto* found = json::find(workload, {"spec", "template"});
  json::Value copy = found != nullptr ? *found : json::Value(json::Object());
  json::erase(copy, {"metadata", "labels", template_hash_label});
  json::erase(copy, {"metadata", "creationTimestamp"});
  for (const std::string_view map : {"labels", "annotations"}) {
    if (json::object_at(copy, {"metadata", map}).empty()) json::erase(copy, {"metadata", map});
  }
  if (json::object_at(copy, {"metadata"}).empty()) json::erase(copy, {"metadata"});
  return copy;
}

}  // namespace

std::int64_t spec_replicas(const json::Value& workload) {
  return std::max<std::int64_t>(0, json::int_at(workload, {"spec", "replicas"}, 1));
}

std::int64_t status_count(const json::Value& workload, std::string_view field) {
  return json::int_at(workload, {"status", field}, 0);
}

std::int64_t resolve_count(const json::Value& written, std::int64_t total, bool round_up) {
  if (!written.is_string()) return json::int_at(written, {}, 0);
  const auto digits = json::string_at(written, {});
  std::int64_t percent = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  return resolve_percent(percent, total, round_up);
}

bool is_rolling_update(const json::Value& deployment) {
  return json::string_at(deployment, {"spec", "strategy", "type"}) != "Recreate";
}

RolloutLimits rollout_limits(const json::Value& deployment) {
  if (!is_rolling_update(deployment)) return {};
  const auto replicas = spec_replicas(deployment);
  const auto* surge = json::find(deployment, {"spec", "strategy", "rollingUpdate", "maxSurge"});
  const auto* unavailable =
      json::find(deployment, {"spec", "strategy", "rollingUpdate", "maxUnavailable"});
  RolloutLimits limits{.max_surge = resolve(surge, replicas, true),
                       .max_unavailable = resolve(unavailable, replicas, false)};
  if (limits.max_surge == 0 && limits.max_unavailable == 0) limits.max_unavailable = 1;
  limits.max_unavailable = std::min(limits.max_unavailable, replicas);
  return limits;
}

bool same_template(const json::Value& deployment, const json::Value& replica_set) {
  return comparable_template(deployment) == comparable_template(replica_set);
}

std::string template_hash(const json::Value& pod_template, std::int64_t collisions) {
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  CanonicalHash hash;
  hash.add(pod_template);
  if (collisions > 0) hash.add_text(std::to_string(collisions));
  std::string name;
  for (const char digit : std::to_string(hash.value())) {
    name.push_back(alphabet[static_cast<unsigned char>(digit) % alphabet.size()]);
  }
  return name;
}

std::string_view annotation(const json::Value& object, std::string_view name) {
  return json::string_at(object, {"metadata", "annotations", name});
}

void set_annotation(json::Value& object, std::string_view name, std::string_view value) {
  json::set(object, {"metadata", "annotations", name}, text(value));
}

std::optional<std::int64_t> number_annotation(const json::Value& object, std::string_view name) {
  const auto written = annotation(object, name);
  std::int64_t number = 0;
  const char* end = written.data() + written.size();
  const auto [at, error] = std::from_chars(written.data(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

std::int64_t revision_number(const json::Value& replica_set) {
  return number_annotation(replica_set, revision_annotation).value_or(0);
}

void annotate_set(json::Value& replica_set, const json::Value& deployment,
                  std::int64_t new_revision) {
  for (const auto& [name, value] : json::object_at(deployment, {"metadata", "annotations"})) {
    const bool skipped =
        std::find(not_copied.begin(), not_copied.end(), std::string_view(name)) != not_copied.end();
    if (!skipped) set_annotation(replica_set, name, json::string_at(value, {}));
  }
  const std::string before(annotation(replica_set, revision_annotation));
  if (revision_number(replica_set) >= new_revision) return;
  set_annotation(replica_set, revision_annotation, std::to_string(new_revision));
  if (before.empty()) return;
  std::string history(annotation(replica_set, revision_history_annotation));
  if (!history.empty()) history.append(",");
  set_annotation(replica_set, revision_history_annotation, history + before);
}

void annotate_replicas(json::Value& replica_set, const json::Value& deployment) {
  const auto replicas = spec_replicas(deployment);
  set_annotation(replica_set, desired_annotation, std::to_string(replicas));
  set_annotation(replica_set, max_annotation,
                 std::to_string(replicas + rollout_limits(deployment).max_surge));
}

json::Value build_replica_set(const api::Object& deployment, std::int64_t replicas,
                              std::int64_t new_revision) {
  const json::Value& value = deployment.value();
  const auto* found = json::find(value, {"spec", "template"});
  json::Value pod_template = found != nullptr ? *found : json::Value(json::Object());
  const auto hash = template_hash(pod_template, status_count(value, "collisionCount"));
  json::set(pod_template, {"metadata", "labels", template_hash_label}, text(hash));
  const auto* selected = json::find(value, {"spec", "selector"});
  json::Value selector = selected != nullptr ? *selected : json::Value(json::Object());
  json::set(selector, {"matchLabels", template_hash_label}, text(hash));

  json::Value set = json::Object{{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}};
  json::set(set, {"metadata", "name"}, text(std::string(deployment.name()) + "-" + hash));
  json::set(set, {"metadata", "namespace"}, text(deployment.name_space()));
  json::set(set, {"metadata", "labels"}, *json::find(pod_template, {"metadata", "labels"}));
  json::set(set, {"metadata", "ownerReferences"},
            json::Array{controller_reference(deployment, "apps/v1", "Deployment")});
  annotate_set(set, value, new_revision);
  annotate_replicas(set, value);
  json::set(set, {"spec", "replicas"}, replicas);
  if (const auto* min_ready = json::find(value, {"spec", "minReadySeconds"})) {
    json::set(set, {"spec", "minReadySeconds"}, *min_ready);
  }
  json::set(set, {"spec", "selector"}, std::move(selector));
  json::set(set, {"spec", "template"}, std::move(pod_template));
  return set;
}

}  // namespace koi::controllers
