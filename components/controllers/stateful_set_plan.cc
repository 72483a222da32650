#include "controllers/stateful_set_plan.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "client/object_key.h"
#include "controllers/deployment_sets.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

using client::text;

constexpr const char* hash_label = "controller-revision-hash";

json::Value template_of(const json::Value& set) {
  const auto* found = json::find(set, {"spec", "template"});
  return found != nullptr ? *found : json::Value(json::Object());
}

std::string revision_name(const json::Value& set) {
  return std::string(json::string_at(set, {"metadata", "name"})) + "-" +
         template_hash(template_of(set), status_count(set, "collisionCount"));
}

// The number after the last dash; absent where the name is no member's.
std::optional<std::int64_t> ordinal_of(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::int64_t ordinal = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + dash + 1, end, ordinal);
  if (error != std::errc{} || at != end || ordinal < 0) return std::nullopt;
  return ordinal;
}

class StatefulPlanner {
 public:
  explicit StatefulPlanner(const StatefulSetFacts& facts)
      : facts_(facts),
        set_(facts.stateful_set),
        revision_(revision_name(facts.stateful_set)),
        first_(json::int_at(set_, {"spec", "ordinals", "start"}, 0)),
        end_(first_ + spec_replicas(set_)),
        parallel_(json::string_at(set_, {"spec", "podManagementPolicy"}) == "Parallel"),
        min_ready_(std::chrono::seconds(json::int_at(set_, {"spec", "minReadySeconds"}, 0))) {
    for (const auto& pod : facts.pods) {
      if (const auto ordinal = ordinal_of(pod->name())) pods_[*ordinal] = pod;
    }
  }

  StatefulSetPlan plan() {
    if (json::find(set_, {"metadata", "deletionTimestamp"}) == nullptr) decide();
    write_status();
    return std::move(plan_);
  }

 private:
  // One step at a time unless parallel: the first thing that is not as it should be stops the rest.
  void decide() {
    if (fill() && shrink()) update();
  }

  bool fill() {
    bool settled = true;
    for (auto ordinal = first_; ordinal < end_; ++ordinal) {
      const auto at = pods_.find(ordinal);
      bool good = false;
      if (at == pods_.end()) {
        plan_.create.push_back(ordinal);
      } else if (is_pod_finished(*at->second) && !at->second->is_terminating()) {
        plan_.remove.push_back(at->second);
      } else {
        good = is_available(*at->second);
      }
      if (good) continue;
      settled = false;
      // A pod of an old template that never becomes ready must not block the one that mends it.
      const bool stuck = at != pods_.end() && !is_updated(*at->second);
      if (!parallel_ && !stuck) return false;
      if (!parallel_) return true;
    }
    return settled || parallel_;
  }

  bool shrink() {
    bool settled = true;
    for (auto at = pods_.rbegin(); at != pods_.rend(); ++at) {
      if (at->first >= first_ && at->first < end_) continue;
      settled = false;
      if (!at->second->is_terminating()) plan_.remove.push_back(at->second);
      if (!parallel_) return false;
    }
    return settled || parallel_;
  }

  void update() {
    if (json::string_at(set_, {"spec", "updateStrategy", "type"}) == "OnDelete") return;
    for (auto ordinal = end_ - 1; ordinal >= first_; --ordinal) {
      const auto at = pods_.find(ordinal);
      // In order, a member is missing only because one before it is stuck.
      if (at == pods_.end() && !parallel_) continue;
      if (at == pods_.end() || at->second->is_terminating()) return;
      if (!is_updated(*at->second)) {
        const bool listed =
            std::find(plan_.remove.begin(), plan_.remove.end(), at->second) != plan_.remove.end();
        if (!listed) plan_.remove.push_back(at->second);
        return;
      }
      if (!is_available(*at->second)) return;
    }
  }

  bool is_updated(const api::Object& pod) const {
    return json::string_at(pod.value(), {"metadata", "labels", hash_label}) == revision_;
  }

  bool is_available(const api::Object& pod) {
    if (pod.is_terminating() || is_pod_finished(pod)) return false;
    const auto at = pod_available_at(pod, min_ready_);
    if (at && *at > facts_.now && (!plan_.check_again || *at < *plan_.check_again)) {
      plan_.check_again = *at;
    }
    return at && *at <= facts_.now;
  }

  void write_status() {
    std::int64_t ready = 0;
    std::int64_t available = 0;
    std::int64_t updated = 0;
    for (const auto& [ordinal, pod] : pods_) {
      if (is_pod_ready(*pod)) ++ready;
      if (is_available(*pod)) ++available;
      if (is_updated(*pod) && !pod->is_terminating()) ++updated;
    }
    const auto total = static_cast<std::int64_t>(pods_.size());
    std::string current(json::string_at(set_, {"status", "currentRevision"}));
    const bool rolled_out = updated == total && total == end_ - first_ && ready == total;
    if (current.empty() || rolled_out) current = revision_;
    json::Value status = json::Object();
    json::set(status, {"replicas"}, total);
    const auto put = [&status](std::string_view name, std::int64_t count) {
      if (count > 0) json::set(status, {name}, count);
    };
    put("observedGeneration", json::int_at(set_, {"metadata", "generation"}, 0));
    put("readyReplicas", ready);
    put("currentReplicas", current == revision_ ? updated : total - updated);
    put("updatedReplicas", updated);
    json::set(status, {"availableReplicas"}, available);
    json::set(status, {"currentRevision"}, text(current));
    json::set(status, {"updateRevision"}, text(revision_));
    json::set(status, {"collisionCount"}, status_count(set_, "collisionCount"));
    plan_.status = std::move(status);
  }

  const StatefulSetFacts& facts_;
  const json::Value& set_;
  const std::string revision_;
  const std::int64_t first_;
  const std::int64_t end_;
  const bool parallel_;
  const base::Duration min_ready_;
  std::map<std::int64_t, api::ObjectPtr> pods_;
  StatefulSetPlan plan_;
};

}  // namespace

std::string stateful_set_refusal(const json::Value& stateful_set) {
  if (!json::array_at(stateful_set, {"spec", "volumeClaimTemplates"}).empty()) {
    return "koi does not support spec.volumeClaimTemplates yet";
  }
  const auto partition =
      json::int_at(stateful_set, {"spec", "updateStrategy", "rollingUpdate", "partition"}, 0);
  if (partition > 0) {
    return "koi does not support spec.updateStrategy.rollingUpdate.partition yet";
  }
  return {};
}

StatefulSetPlan plan_stateful_set(const StatefulSetFacts& facts) {
  return StatefulPlanner(facts).plan();
}

json::Value stateful_pod(const api::Object& stateful_set, std::int64_t ordinal) {
  const auto& value = stateful_set.value();
  const auto reference = controller_reference(stateful_set, "apps/v1", "StatefulSet");
  auto pod = pod_from_template(template_of(value), reference, stateful_set.name_space(),
                               stateful_set.name());
  const auto number = std::to_string(ordinal);
  const auto name = std::string(stateful_set.name()) + "-" + number;
  json::erase(pod, {"metadata", "generateName"});
  json::set(pod, {"metadata", "name"}, text(name));
  json::set(pod, {"metadata", "labels", hash_label}, text(revision_name(value)));
  json::set(pod, {"metadata", "labels", "statefulset.kubernetes.io/pod-name"}, text(name));
  json::set(pod, {"metadata", "labels", "apps.kubernetes.io/pod-index"}, text(number));
  json::set(pod, {"spec", "hostname"}, text(name));
  const auto service = json::string_at(value, {"spec", "serviceName"});
  if (!service.empty()) json::set(pod, {"spec", "subdomain"}, text(service));
  return pod;
}

}  // namespace koi::controllers
