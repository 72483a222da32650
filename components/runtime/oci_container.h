#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "linux/fd.h"
#include "runtime/spec.h"

// Containers from OCI bundles, as other tools ask a runtime for them: create, start, state, kill,
// delete. Each lives in its own directory:
//
//   <root>/<id>/
//     config.json   the bundle's, as it was at creation
//     state.json    pid, start time, bundle, cgroup; written once it is created
//     start.fifo    there until the container is started: its process waits behind it
namespace koi::runtime {

struct OciOptions {
  linux::Path root = "/run/koi/runtime";
  linux::Path bundle;
  linux::Path pid_file;
  linux::Path console_socket;
  std::string id;
};

struct OciState {
  std::string id;
  std::string status;  // "created", "running", "paused", "stopped"
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string bundle;
  std::string cgroup;
  std::map<std::string, std::string> annotations;
};

// The state as the specification prints it.
json::Value state_document(const OciState& state);

base::Result<> create_container(const OciOptions& options);
base::Result<> start_container(const OciOptions& options);
base::Result<OciState> read_state(const OciOptions& options);
// `all`: every process of the container's cgroup.
base::Result<> kill_container(const OciOptions& options, int signal_number, bool all);
base::Result<> delete_container(const OciOptions& options, bool force);
base::Result<> pause_container(const OciOptions& options, bool paused);
base::Result<> update_container(const OciOptions& options, const json::Value& resources);
// Returns the exit code; 0 at once when `detach`.
base::Result<int> exec_in_container(const OciOptions& options, const ProcessSpec& process,
                                    bool detach);
// The process of the container's configuration, which an exec from arguments starts from.
base::Result<ProcessSpec> container_process(const OciOptions& options);

}  // namespace koi::runtime
