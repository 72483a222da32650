#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "runtime/pod_runtime.h"

// What the runtime writes to disk and says between agent and shim, as JSON. Reading refuses what is
// damaged with corrupt; unknown members are passed over, so that versions can differ.
namespace koi::runtime {

json::Value to_json(const PodSandboxSpec& spec);
json::Value to_json(const ContainerSpec& spec);
json::Value to_json(const ContainerExit& exit);
json::Value to_json(const ContainerState& state);

base::Result<PodSandboxSpec> pod_spec_from_json(const json::Value& value);
base::Result<ContainerSpec> container_spec_from_json(const json::Value& value);
base::Result<ContainerExit> exit_from_json(const json::Value& value);
base::Result<ContainerState> state_from_json(const json::Value& value);

// Who a shim is, so that another process with its pid is not taken for it.
struct ShimRecord {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string boot_id;
};
json::Value to_json(const ShimRecord& record);
base::Result<ShimRecord> shim_from_json(const json::Value& value);

// A pod as its directory tells it: what a new agent finds when the shim is dead. A container
// without an exit was running, or was never started.
struct PodOnDisk {
  PodSandboxSpec spec;
  std::optional<ShimRecord> shim;
  std::vector<ContainerState> containers;
};
base::Result<PodOnDisk> read_pod(const base::Path& pod);

// The JSON value in a file of at most 4 MiB.
base::Result<json::Value> read_json(const base::Path& path);

}  // namespace koi::runtime
