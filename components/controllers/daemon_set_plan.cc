#include "controllers/daemon_set_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "client/node_terms.h"
#include "client/object_key.h"
#include "controllers/deployment_sets.h"
#include "controllers/owner.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

using namespace std::chrono_literals;
using client::text;

constexpr const char* hash_label = "controller-revision-hash";
// A pod that failed is replaced, but not faster than this.
constexpr base::Duration failed_pod_age_min = 10s;

struct DefaultToleration {
  const char* key;
  const char* effect;
};
constexpr DefaultToleration default_tolerations[] = {
    {"node.kubernetes.io/not-ready", "NoExecute"},
    {"node.kubernetes.io/unreachable", "NoExecute"},
    {"node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"node.kubernetes.io/unschedulable", "NoSchedule"},
};

json::Value exists_toleration(const char* key, const char* effect) {
  return json::Object{{"key", key}, {"operator", "Exists"}, {"effect", effect}};
}

json::Value template_of(const json::Value& daemon_set) {
  const auto* found = json::find(daemon_set, {"spec", "template"});
  return found != nullptr ? *found : json::Value(json::Object());
}

void add_tolerations(json::Value& spec) {
  auto& tolerations = json::ensure_array(spec, {"tolerations"});
  for (const auto& each : default_tolerations) {
    tolerations.push_back(exists_toleration(each.key, each.effect));
  }
  if (json::bool_at(spec, {"hostNetwork"})) {
    tolerations.push_back(
        exists_toleration("node.kubernetes.io/network-unavailable", "NoSchedule"));
  }
}

std::string revision_hash(const json::Value& daemon_set) {
  return template_hash(template_of(daemon_set), status_count(daemon_set, "collisionCount"));
}

// Where the pod is or is meant to be.
std::string node_of(const json::Value& pod) {
  const auto bound = json::string_at(pod, {"spec", "nodeName"});
  if (!bound.empty()) return std::string(bound);
  const auto& terms =
      json::array_at(pod, {"spec", "affinity", "nodeAffinity",
                           "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"});
  for (const auto& term : terms) {
    for (const auto& field : json::array_at(term, {"matchFields"})) {
      const auto& values = json::array_at(field, {"values"});
      if (!values.empty()) return std::string(json::string_at(values[0], {}));
    }
  }
  return {};
}

class DaemonPlanner {
 public:
  explicit DaemonPlanner(const DaemonSetFacts& facts)
      : facts_(facts), set_(facts.daemon_set), hash_(revision_hash(facts.daemon_set)) {
    json::Value spec = json::Object();
    const auto pod_template = template_of(set_);
    if (const auto* found = json::find(pod_template, {"spec"})) spec = *found;
    add_tolerations(spec);
    wishes_ = client::read_node_wishes(spec);
    tolerations_ = client::read_tolerations(spec);
    min_ready_ = std::chrono::seconds(json::int_at(set_, {"spec", "minReadySeconds"}, 0));
    for (const auto& pod : facts.pods) pods_[node_of(pod->value())].push_back(pod);
  }

  DaemonSetPlan plan() {
    const bool going = json::find(set_, {"metadata", "deletionTimestamp"}) != nullptr;
    for (const auto& node : facts_.nodes) visit(*node);
    for (const auto& [name, pods] : pods_) {
      if (!visited_.contains(name)) remove_all(pods);
    }
    if (!going) update();
    if (going) {
      plan_.create.clear();
      plan_.remove.clear();
    }
    write_status();
    return std::move(plan_);
  }

 private:
  struct Fit {
    bool start = false;  // a new pod may come
    bool stay = false;   // one that is there may stay
  };

  Fit fit(const api::Object& node) const {
    const auto& labels = json::object_at(node.value(), {"metadata", "labels"});
    Fit fit{.start = wishes_.accepts(node.name(), labels), .stay = false};
    fit.stay = fit.start;
    for (const auto& taint : client::read_taints(node.value())) {
      if (taint.effect == "PreferNoSchedule" || taint.is_tolerated_by(tolerations_)) continue;
      fit.start = false;
      if (taint.effect == "NoExecute") fit.stay = false;
    }
    return fit;
  }

  void remove_all(const std::vector<api::ObjectPtr>& pods) {
    for (const auto& pod : pods) {
      if (!pod->is_terminating()) plan_.remove.push_back(pod);
    }
  }

  void visit(const api::Object& node) {
    const std::string name(node.name());
    visited_.insert(name);
    const auto fits = fit(node);
    auto& pods = pods_[name];
    if (fits.start) ++desired_;
    if (!fits.stay) {
      if (!pods.empty()) ++misscheduled_;
      remove_all(pods);
      return;
    }
    const auto kept = keep_one(pods);
    if (kept == nullptr) {
      // Who goes makes room first: two of them would fight over ports and files of the node.
      const bool free = std::none_of(pods.begin(), pods.end(), [](const auto& pod) {
        return pod->is_terminating() || is_pod_finished(*pod);
      });
      if (fits.start && free) plan_.create.push_back(name);
      return;
    }
    if (fits.start) count(*kept);
    running_.push_back(kept);
  }

  // The oldest pod that runs; the others go, and so does one that failed.
  api::ObjectPtr keep_one(const std::vector<api::ObjectPtr>& pods) {
    api::ObjectPtr kept;
    for (const auto& pod : pods) {
      if (pod->is_terminating()) continue;
      if (is_pod_finished(*pod)) {
        remove_failed(pod);
        continue;
      }
      if (kept == nullptr) {
        kept = pod;
        continue;
      }
      const bool older = json::string_at(pod->value(), {"metadata", "creationTimestamp"}) <
                         json::string_at(kept->value(), {"metadata", "creationTimestamp"});
      plan_.remove.push_back(older ? kept : pod);
      if (older) kept = pod;
    }
    return kept;
  }

  void remove_failed(const api::ObjectPtr& pod) {
    const auto created = time_at(pod->value(), {"metadata", "creationTimestamp"});
    const auto due = created.value_or(facts_.now) + failed_pod_age_min;
    if (due <= facts_.now) {
      plan_.remove.push_back(pod);
    } else {
      look_again(due);
    }
  }

  bool is_updated(const api::Object& pod) const {
    return json::string_at(pod.value(), {"metadata", "labels", hash_label}) == hash_;
  }
  bool is_available(const api::Object& pod) const {
    const auto at = pod_available_at(pod, min_ready_);
    return at && *at <= facts_.now;
  }

  void count(const api::Object& pod) {
    ++current_;
    if (is_pod_ready(pod)) ++ready_;
    if (is_updated(pod)) ++updated_;
    const auto at = pod_available_at(pod, min_ready_);
    if (at && *at <= facts_.now) ++available_;
    if (at && *at > facts_.now) look_again(*at);
  }

  // Replaces pods of an earlier template, at most so many nodes at a time without one.
  void update() {
    if (json::string_at(set_, {"spec", "updateStrategy", "type"}) == "OnDelete") return;
    auto budget = max_unavailable() - (desired_ - available_);
    for (const auto& pod : running_) {
      if (is_updated(*pod)) continue;
      if (!is_available(*pod)) {
        plan_.remove.push_back(pod);
      } else if (budget > 0) {
        --budget;
        plan_.remove.push_back(pod);
      }
    }
  }

  std::int64_t max_unavailable() const {
    const auto* written =
        json::find(set_, {"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"});
    if (written == nullptr) return 1;
    return std::max<std::int64_t>(1, resolve_count(*written, desired_, true));
  }

  void look_again(base::WallTime when) {
    if (!plan_.check_again || when < *plan_.check_again) plan_.check_again = when;
  }

  void write_status() {
    json::Value status = json::Object();
    json::set(status, {"currentNumberScheduled"}, current_);
    json::set(status, {"numberMisscheduled"}, misscheduled_);
    json::set(status, {"desiredNumberScheduled"}, desired_);
    json::set(status, {"numberReady"}, ready_);
    const auto put = [&status](std::string_view name, std::int64_t count) {
      if (count > 0) json::set(status, {name}, count);
    };
    put("observedGeneration", json::int_at(set_, {"metadata", "generation"}, 0));
    put("updatedNumberScheduled", updated_);
    put("numberAvailable", available_);
    put("numberUnavailable", desired_ - available_);
    plan_.status = std::move(status);
  }

  const DaemonSetFacts& facts_;
  const json::Value& set_;
  const std::string hash_;
  client::NodeWishes wishes_;
  std::vector<client::Toleration> tolerations_;
  base::Duration min_ready_{};
  std::map<std::string, std::vector<api::ObjectPtr>> pods_;
  std::set<std::string> visited_;
  std::vector<api::ObjectPtr> running_;
  std::int64_t desired_ = 0;
  std::int64_t current_ = 0;
  std::int64_t misscheduled_ = 0;
  std::int64_t ready_ = 0;
  std::int64_t updated_ = 0;
  std::int64_t available_ = 0;
  DaemonSetPlan plan_;
};

}  // namespace

std::string daemon_set_refusal(const json::Value& daemon_set) {
  const auto* surge =
      json::find(daemon_set, {"spec", "updateStrategy", "rollingUpdate", "maxSurge"});
  if (surge == nullptr || resolve_count(*surge, 100, true) == 0) return {};
  return "koi does not support spec.updateStrategy.rollingUpdate.maxSurge yet";
}

DaemonSetPlan plan_daemon_set(const DaemonSetFacts& facts) { return DaemonPlanner(facts).plan(); }

json::Value daemon_pod(const api::Object& daemon_set, const std::string& node) {
  const auto reference = controller_reference(daemon_set, "apps/v1", "DaemonSet");
  auto pod = pod_from_template(template_of(daemon_set.value()), reference, daemon_set.name_space(),
                               daemon_set.name());
  json::set(pod, {"metadata", "labels", hash_label}, text(revision_hash(daemon_set.value())));
  add_tolerations(*json::find(pod, {"spec"}));
  json::Object field{{"key", "metadata.name"}, {"operator", "In"}, {"values", json::Array{node}}};
  json::Object term{{"matchFields", json::Array{std::move(field)}}};
  json::set(pod,
            {"spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution",
             "nodeSelectorTerms"},
            json::Array{std::move(term)});
  return pod;
}

}  // namespace koi::controllers
