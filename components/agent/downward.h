#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "json/value.h"

// What a pod may learn about itself, as variables and files.
namespace koi::agent {

struct DownwardFacts {
  std::string pod_ip;  // empty while there is none
  std::string host_ip;
  std::string node_name;
  std::int64_t allocatable_cpu_milli = 0;  // stands in for a missing limit
  std::int64_t allocatable_memory_bytes = 0;
  std::int64_t allocatable_storage_bytes = 0;
};

// The value of a fieldRef's fieldPath. Fails with invalid for a path that does not exist.
base::Result<std::string> pod_field(const json::Value& pod, std::string_view path,
                                    const DownwardFacts& facts);

// The value of a resourceFieldRef ("limits.cpu" of a container, divided by its divisor, rounded
// up).
base::Result<std::string> resource_field(const json::Value& container, const json::Value& selector,
                                         const DownwardFacts& facts);

}  // namespace koi::agent
