#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/value.h"

namespace koi::scheduler {

// Amounts that pods ask for and nodes have. CPU in thousandths of a core, memory and ephemeral
// storage in bytes, everything else in whole units.
struct Resources {
  std::int64_t milli_cpu = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t ephemeral_bytes = 0;
  // Extended resources and huge pages, sorted by name; nearly always empty.
  std::vector<std::pair<std::string, std::int64_t>> extended{};

  // From a ResourceList such as {"cpu": "100m"}. Entries that are no quantity count as none.
  static Resources parse(const json::Object& list);

  std::int64_t extended_amount(std::string_view name) const;
  void set(std::string_view name, std::int64_t amount);

  void add(const Resources& other);
  void subtract(const Resources& other);
  // Raises each amount to that of `other` where it is lower.
  void raise_to(const Resources& other);
};

// What a pod occupies on its node: containers and sidecars together, or a larger init step, plus
// overhead; pod-level requests stand in for the sum where they are given.
Resources pod_requests(const json::Value& pod);

// The same for scoring, where a container that asks for nothing counts a little, so that such pods
// spread too.
struct ScoringRequest {
  std::int64_t milli_cpu = 0;
  std::int64_t memory_bytes = 0;
};
ScoringRequest scoring_request(const json::Value& pod);

}  // namespace koi::scheduler
