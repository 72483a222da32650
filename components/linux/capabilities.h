#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Capabilities as the kernel has them: one bit each, numbered as in linux/capability.h.
namespace koi::linux {

using CapabilityMask = std::uint64_t;

// The bit of "CAP_NET_ADMIN" (the prefix may be missing, any case); invalid for an unknown name.
base::Result<CapabilityMask> capability_bit(std::string_view name);

// Every capability that this component knows, and the running kernel's subset of them.
CapabilityMask all_capabilities();
CapabilityMask kernel_capabilities();

// The 14 that containers get when nothing is said.
CapabilityMask default_container_capabilities();

// Names with the CAP_ prefix, in numerical order.
std::vector<std::string> capability_names(CapabilityMask mask);

// What capset(2), the bounding set and the ambient set hold.
struct CapabilitySets {
  CapabilityMask bounding = 0;
  CapabilityMask effective = 0;
  CapabilityMask inheritable = 0;
  CapabilityMask permitted = 0;
  CapabilityMask ambient = 0;
};

// The calling thread's permitted set.
base::Result<CapabilityMask> permitted_capabilities();

// Drops from the bounding set of the calling thread whatever is not in `mask`.
base::Result<> limit_bounding_set(CapabilityMask mask);

// Sets effective, inheritable, permitted and ambient of the calling thread. What the caller itself
// does not hold is left out: a machine may withhold a capability from root.
base::Result<> set_capabilities(const CapabilitySets& sets);

}  // namespace koi::linux
