#include "controllers/deployment_plan.h"

#include <algorithm>
#include <cmath>

#include "controllers/deployment_sets.h"
#include "controllers/deployment_status.h"
#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

constexpr std::string_view progressing = "Progressing";

// A ReplicaSet while the plan is made.
struct WorkingSet {
  api::ObjectPtr object;
  json::Value value;
  std::string event{};

  std::string name() const { return std::string(object->name()); }
  std::int64_t replicas() const { return spec_replicas(value); }
  std::int64_t available() const { return status_count(value, "availableReplicas"); }
};

bool created_before(const WorkingSet* left, const WorkingSet* right) {
  const auto a = json::string_at(left->value, {"metadata", "creationTimestamp"});
  const auto b = json::string_at(right->value, {"metadata", "creationTimestamp"});
  return a != b ? a < b : left->object->name() < right->object->name();
}

bool revised_before(const WorkingSet* left, const WorkingSet* right) {
  const auto a = revision_number(left->value);
  const auto b = revision_number(right->value);
  return a != b ? a < b : created_before(left, right);
}

std::int64_t total_replicas(const std::vector<WorkingSet*>& sets) {
  std::int64_t total = 0;
  for (const auto* set : sets) total += set->replicas();
  return total;
}

class Planner {
 public:
  explicit Planner(const DeploymentFacts& facts)
      : facts_(facts),
        deployment_(facts.deployment.value()),
        wanted_(spec_replicas(deployment_)),
        limits_(rollout_limits(deployment_)),
        conditions_(json::array_at(deployment_, {"status", "conditions"})) {
    for (const auto& set : facts.sets) sets_.push_back({.object = set, .value = set->value()});
    sort_out();
  }

  DeploymentPlan plan() {
    if (facts_.deployment.is_terminating()) return finish(false);
    note_pause();
    const bool paused = json::bool_at(deployment_, {"spec", "paused"});
    if (paused || is_scaling()) {
      revise(false);
      scale();
      if (paused) clean_up();
      return finish(false);
    }
    if (is_rolling_update(deployment_)) {
      roll();
    } else {
      recreate();
    }
    return finish(true);
  }

 private:
  void sort_out() {
    std::vector<WorkingSet*> by_age;
    for (auto& set : sets_) by_age.push_back(&set);
    std::sort(by_age.begin(), by_age.end(), created_before);
    for (auto* set : by_age) {
      if (new_ == nullptr && same_template(deployment_, set->value)) {
        new_ = set;
      } else {
        old_.push_back(set);
      }
    }
  }

  std::vector<WorkingSet*> all() const {
    auto sets = old_;
    if (new_ != nullptr) sets.push_back(new_);
    return sets;
  }

  static std::vector<WorkingSet*> active(std::vector<WorkingSet*> sets) {
    std::erase_if(sets, [](const WorkingSet* set) { return set->replicas() == 0; });
    return sets;
  }

  void note_pause() {
    if (!has_progress_deadline(deployment_)) return;
    const auto* current = find_in(conditions_, progressing);
    const auto reason =
        current != nullptr ? json::string_at(*current, {"reason"}) : std::string_view();
    if (reason == "ProgressDeadlineExceeded") return;
    const bool paused = json::bool_at(deployment_, {"spec", "paused"});
    const bool noted = reason == "DeploymentPaused";
    if (paused && !noted) {
      set_condition(conditions_,
                    {progressing, "Unknown", "DeploymentPaused", "Deployment is paused"},
                    facts_.now);
    } else if (!paused && noted) {
      set_condition(conditions_,
                    {progressing, "Unknown", "DeploymentResumed", "Deployment is resumed"},
                    facts_.now);
    }
  }

  bool is_scaling() const {
    const auto sets = active(all());
    return std::any_of(sets.begin(), sets.end(), [this](const WorkingSet* set) {
      const auto desired = number_annotation(set->value, desired_annotation);
      return desired && *desired != wanted_;
    });
  }

  // Brings revision and annotations of the current set up to date, or plans its creation.
  void revise(bool may_create) {
    std::int64_t revision = 0;
    for (const auto* set : old_) revision = std::max(revision, revision_number(set->value));
    ++revision;
    if (new_ != nullptr) {
      annotate_set(new_->value, deployment_, revision);
      note_min_ready();
      note_revision(annotation(new_->value, revision_annotation));
      if (has_progress_deadline(deployment_) && find_in(conditions_, progressing) == nullptr) {
        const auto message = "Found new replica set \"" + new_->name() + "\"";
        set_condition(conditions_, {progressing, "True", "FoundNewReplicaSet", message},
                      facts_.now);
      }
      return;
    }
    if (!may_create) return;
    const auto replicas = new_set_size(0);
    plan_.create = build_replica_set(facts_.deployment, replicas, revision);
    const std::string name(json::string_at(*plan_.create, {"metadata", "name"}));
    if (replicas > 0) {
      plan_.create_event =
          "Scaled up replica set " + name + " from 0 to " + std::to_string(replicas);
    }
    note_revision(std::to_string(revision));
    if (has_progress_deadline(deployment_)) {
      const auto message = "Created new replica set \"" + name + "\"";
      set_condition(conditions_, {progressing, "True", "NewReplicaSetCreated", message},
                    facts_.now);
    }
  }

  void note_min_ready() {
    const auto seconds = json::int_at(deployment_, {"spec", "minReadySeconds"}, 0);
    if (json::int_at(new_->value, {"spec", "minReadySeconds"}, 0) == seconds) return;
    json::set(new_->value, {"spec", "minReadySeconds"}, seconds);
  }

  void note_revision(std::string_view revision) {
    if (annotation(deployment_, revision_annotation) != revision) plan_.revision = revision;
  }

  std::int64_t new_set_size(std::int64_t current) const {
    if (!is_rolling_update(deployment_)) return wanted_;
    const auto room = wanted_ + limits_.max_surge - total_replicas(all());
    if (room <= 0) return current;
    return current + std::min(room, wanted_ - current);
  }

  bool resize(WorkingSet& set, std::int64_t replicas) {
    const auto before = set.replicas();
    annotate_replicas(set.value, deployment_);
    if (before == replicas) return false;
    json::set(set.value, {"spec", "replicas"}, replicas);
    set.event = std::string("Scaled ") + (replicas > before ? "up" : "down") + " replica set " +
                set.name() + " from " + std::to_string(before) + " to " + std::to_string(replicas);
    return true;
  }

  void roll() {
    revise(true);
    if (new_ == nullptr) return;
    const auto current = new_->replicas();
    if (current != wanted_) {
      const bool resized = resize(*new_, current > wanted_ ? wanted_ : new_set_size(current));
      if (resized) return;
    }
    if (shrink_old()) return;
    clean_up_when_complete();
  }

  bool shrink_old() {
    auto old_active = active(old_);
    if (old_active.empty()) return false;
    const auto least = wanted_ - limits_.max_unavailable;
    const auto unavailable_new = new_->replicas() - new_->available();
    const auto shrink_max = total_replicas(all()) - least - unavailable_new;
    if (shrink_max <= 0) return false;
    std::sort(old_active.begin(), old_active.end(), created_before);
    const auto unhealthy = shrink_unhealthy(old_active, shrink_max);
    return shrink_healthy(old_active, least) || unhealthy;
  }

  // Pods that are not available go first: they serve nobody.
  bool shrink_unhealthy(const std::vector<WorkingSet*>& sets, std::int64_t shrink_max) {
    bool changed = false;
    for (auto* set : sets) {
      if (shrink_max <= 0) break;
      const auto count = std::min(shrink_max, set->replicas() - set->available());
      if (count <= 0) continue;
      shrink_max -= count;
      changed |= resize(*set, set->replicas() - count);
    }
    return changed;
  }

  bool shrink_healthy(const std::vector<WorkingSet*>& sets, std::int64_t least) {
    std::int64_t available = 0;
    for (const auto* set : all()) available += set->available();
    auto rest = available - least;
    bool changed = false;
    for (auto* set : sets) {
      if (rest <= 0) break;
      const auto count = std::min(set->replicas(), rest);
      if (count <= 0) continue;
      rest -= count;
      changed |= resize(*set, set->replicas() - count);
    }
    return changed;
  }

  void recreate() {
    revise(false);
    bool shrunk = false;
    for (auto* set : active(old_)) shrunk |= resize(*set, 0);
    if (shrunk || facts_.old_pods_run) return;
    if (new_ == nullptr) {
      revise(true);
      return;
    }
    resize(*new_, wanted_);
    clean_up_when_complete();
  }

  // Keeps the proportions between the sets of a rollout while the Deployment is scaled.
  void scale() {
    if (auto* only = active_or_latest()) {
      if (only->replicas() != wanted_) resize(*only, wanted_);
      annotate_replicas(only->value, deployment_);
      return;
    }
    if (is_saturated()) {
      for (auto* set : active(old_)) resize(*set, 0);
      return;
    }
    if (!is_rolling_update(deployment_)) return;
    auto sets = active(all());
    const auto allowed = wanted_ > 0 ? wanted_ + limits_.max_surge : 0;
    const auto to_add = allowed - total_replicas(sets);
    std::sort(sets.begin(), sets.end(), [to_add](const WorkingSet* a, const WorkingSet* b) {
      if (a->replicas() != b->replicas()) return a->replicas() > b->replicas();
      return to_add > 0 ? created_before(b, a) : created_before(a, b);
    });
    std::vector<std::int64_t> sizes;
    std::int64_t added = 0;
    for (const auto* set : sets) {
      const auto share = to_add != 0 ? proportion(*set, to_add, added) : 0;
      sizes.push_back(set->replicas() + share);
      added += share;
    }
    if (!sizes.empty() && to_add != 0) {
      sizes[0] = std::max<std::int64_t>(0, sizes[0] + to_add - added);
    }
    for (std::size_t i = 0; i < sets.size(); ++i) resize(*sets[i], sizes[i]);
  }

  std::int64_t proportion(const WorkingSet& set, std::int64_t to_add, std::int64_t added) const {
    if (set.replicas() == 0 || to_add == added) return 0;
    const auto rest = to_add - added;
    const auto share = fraction(set);
    return to_add > 0 ? std::min(share, rest) : std::max(share, rest);
  }

  std::int64_t fraction(const WorkingSet& set) const {
    if (wanted_ == 0) return -set.replicas();
    auto before = number_annotation(set.value, max_annotation).value_or(0);
    if (before == 0) before = status_count(deployment_, "replicas");
    if (before == 0) return 0;
    const auto scaled = static_cast<double>(set.replicas() * (wanted_ + limits_.max_surge)) /
                        static_cast<double>(before);
    return static_cast<std::int64_t>(std::lround(scaled)) - set.replicas();
  }

  WorkingSet* active_or_latest() const {
    const auto sets = active(all());
    if (sets.size() == 1) return sets.front();
    if (!sets.empty()) return nullptr;
    if (new_ != nullptr) return new_;
    const auto latest = std::max_element(old_.begin(), old_.end(), created_before);
    return latest != old_.end() ? *latest : nullptr;
  }

  bool is_saturated() const {
    return new_ != nullptr && new_->replicas() == wanted_ &&
           number_annotation(new_->value, desired_annotation) == wanted_ &&
           new_->available() == wanted_;
  }

  void clean_up_when_complete() {
    if (is_complete(deployment_, status(true))) clean_up();
  }

  void clean_up() {
    const auto limit = json::int_at(deployment_, {"spec", "revisionHistoryLimit"});
    if (!limit) return;
    std::vector<WorkingSet*> sets = old_;
    std::erase_if(sets, [](const WorkingSet* set) { return set->object->is_terminating(); });
    const auto surplus = static_cast<std::int64_t>(sets.size()) - *limit;
    if (surplus <= 0) return;
    std::sort(sets.begin(), sets.end(), revised_before);
    for (std::size_t i = 0; i < static_cast<std::size_t>(surplus); ++i) {
      const auto& value = sets[i]->value;
      const bool in_use = status_count(value, "replicas") != 0 || sets[i]->replicas() != 0 ||
                          json::int_at(value, {"metadata", "generation"}, 0) >
                              status_count(value, "observedGeneration");
      if (!in_use) plan_.remove.push_back(sets[i]->object);
    }
  }

  json::Value status(bool rolling_out) const {
    DeploymentStatusFacts facts{.deployment = facts_.deployment,
                                .new_set = new_ != nullptr ? &new_->value : nullptr,
                                .conditions = conditions_,
                                .now = facts_.now};
    for (const auto* set : all()) facts.sets.push_back(&set->value);
    return deployment_status(facts, rolling_out);
  }

  DeploymentPlan finish(bool rolling_out) {
    for (auto& set : sets_) {
      if (set.value == set.object->value()) continue;
      plan_.updates.push_back(
          {.before = set.object, .after = std::move(set.value), .event = std::move(set.event)});
      set.value = set.object->value();
    }
    plan_.status = status(rolling_out);
    plan_.check_again = deadline_check(deployment_, plan_.status);
    return std::move(plan_);
  }

  const DeploymentFacts& facts_;
  const json::Value& deployment_;
  const std::int64_t wanted_;
  const RolloutLimits limits_;
  json::Array conditions_;
  std::vector<WorkingSet> sets_;
  WorkingSet* new_ = nullptr;
  std::vector<WorkingSet*> old_;
  DeploymentPlan plan_;
};

}  // namespace

DeploymentPlan plan_deployment(const DeploymentFacts& facts) { return Planner(facts).plan(); }

}  // namespace koi::controllers
