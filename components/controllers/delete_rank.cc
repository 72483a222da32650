#include "controllers/delete_rank.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <string>
#include <tuple>

#include "controllers/pod_state.h"

namespace koi::controllers {

namespace {

// Larger sorts later, so every member is chosen such that what should go first is smaller.
using Rank =
    std::tuple<bool, int, bool, std::int64_t, std::int64_t, int, std::int64_t, int, std::string>;

int phase_order(const api::Object& pod) {
  const auto phase = json::string_at(pod.value(), {"status", "phase"});
  if (phase == "Pending") return 0;
  if (phase == "Unknown") return 1;
  return 2;
}

std::int64_t deletion_cost(const api::Object& pod) {
  const auto text = json::string_at(
      pod.value(), {"metadata", "annotations", "controller.kubernetes.io/pod-deletion-cost"});
  std::int64_t cost = 0;
  std::from_chars(text.data(), text.data() + text.size(), cost);
  return cost;
}

std::int64_t restarts(const api::Object& pod) {
  std::int64_t most = 0;
  for (const auto& status : json::array_at(pod.value(), {"status", "containerStatuses"})) {
    most = std::max(most, json::int_at(status, {"restartCount"}, 0));
  }
  return most;
}

// How long ago, as a power of two of seconds.
int age_order(std::optional<base::WallTime> since, base::WallTime now) {
  if (!since || *since >= now) return 0;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *since).count();
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(seconds)));
}

}  // namespace

std::vector<api::ObjectPtr> choose_pods_to_delete(std::vector<api::ObjectPtr> pods,
                                                  const std::vector<api::ObjectPtr>& related,
                                                  std::size_t count, base::WallTime now) {
  if (count >= pods.size()) return pods;
  std::map<std::string, std::int64_t, std::less<>> per_node;
  for (const auto& pod : related) {
    if (is_pod_active(*pod)) {
      ++per_node[std::string(json::string_at(pod->value(), {"spec", "nodeName"}))];
    }
  }
  std::vector<std::pair<Rank, api::ObjectPtr>> ranked;
  for (auto& pod : pods) {
    const json::Value& value = pod->value();
    const auto node = json::string_at(value, {"spec", "nodeName"});
    const auto* ready = find_condition(value, "Ready");
    const bool is_ready = is_pod_ready(*pod);
    const auto ready_since = is_ready ? time_at(*ready, {"lastTransitionTime"}) : std::nullopt;
    const auto created = time_at(value, {"metadata", "creationTimestamp"});
    const auto neighbours = per_node.find(node);
    Rank rank{!node.empty(),
              phase_order(*pod),
              is_ready,
              deletion_cost(*pod),
              neighbours != per_node.end() ? -neighbours->second : 0,
              age_order(ready_since, now),
              -restarts(*pod),
              age_order(created, now),
              std::string(pod->uid())};
    ranked.emplace_back(std::move(rank), std::move(pod));
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<api::ObjectPtr> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(std::move(ranked[i].second));
  return chosen;
}

}  // namespace koi::controllers
