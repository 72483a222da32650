#pragma once

#include <string>

#include "base/files.h"

// What the runtime keeps on disk. Only this file builds or takes apart these paths.
//
//   <root>/                            0700, the runtime's own
//     seccomp/<capabilities>.bpf       compiled filters, by the capabilities that matter, in hex
//     pods/<pod uid>/
//       spec.json                      the PodSandboxSpec, written first
//       shim.lock                      held by the shim while it lives
//       shim.json                      who the shim is: pid, start time, boot; once it listens
//       shim.sock                      where it listens
//       shm/                           where its shared memory is mounted, in its own namespace
//       trash/                         removed containers whose files are still being deleted
//       containers/<container id>/
//         spec.json                    the ContainerSpec, written first
//         state.json                   pid and start time, once the program runs
//         termination-log              what the container says about its end
//         upper/ work/ root/           overlay: the container's changes, and where it is mounted
//         exit.json                    written once, last
namespace koi::runtime::paths {

using base::Path;

inline Path pods(const Path& root) { return root / "pods"; }
inline Path pod(const Path& root, const std::string& uid) { return pods(root) / uid; }
inline Path seccomp(const Path& root) { return root / "seccomp"; }

inline Path pod_spec(const Path& pod) { return pod / "spec.json"; }
inline Path shim_lock(const Path& pod) { return pod / "shim.lock"; }
inline Path shim_record(const Path& pod) { return pod / "shim.json"; }
inline constexpr const char* shim_socket_name = "shim.sock";
inline Path shim_socket(const Path& pod) { return pod / shim_socket_name; }
inline Path shared_memory(const Path& pod) { return pod / "shm"; }
inline Path trash(const Path& pod) { return pod / "trash"; }
inline Path containers(const Path& pod) { return pod / "containers"; }

inline Path container(const Path& pod, const std::string& id) { return containers(pod) / id; }
inline Path container_spec(const Path& container) { return container / "spec.json"; }
inline Path container_state(const Path& container) { return container / "state.json"; }
inline Path container_exit(const Path& container) { return container / "exit.json"; }
inline Path termination_log(const Path& container) { return container / "termination-log"; }
inline Path upper(const Path& container) { return container / "upper"; }
inline Path work(const Path& container) { return container / "work"; }
inline Path mount_point(const Path& container) { return container / "root"; }

}  // namespace koi::runtime::paths
