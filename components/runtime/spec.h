#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "linux/capabilities.h"
#include "linux/cgroup.h"
#include "linux/seccomp_filter.h"

// What a container is, in the words of the OCI runtime specification (config.json). Pods and
// `koi runtime create` both end in one of these, and one launcher carries it out.
namespace koi::runtime {

struct MountSpec {
  std::string destination;
  std::string type;  // "bind", or a file system
  std::string source;
  std::vector<std::string> options;
  std::string sub_path;    // not of OCI: resolved below source without leaving it
  bool from_host = false;  // not of OCI: mounts made inside appear on the host
};

struct NamespaceSpec {
  std::string type;  // "pid", "network", "mount", "ipc", "uts", "cgroup"
  std::string path;  // joined instead of made when not empty
};

struct RlimitSpec {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

struct DeviceSpec {
  std::string path;
  char type = 'c';
  unsigned major = 0;
  unsigned minor = 0;
  unsigned mode = 0666;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct ProcessSpec {
  bool terminal = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids;
  std::optional<unsigned> umask;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  linux::CapabilitySets capabilities;
  std::vector<RlimitSpec> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
};

struct Spec {
  ProcessSpec process;
  std::string root_path;
  bool root_read_only = false;
  std::string hostname;
  std::vector<MountSpec> mounts;
  std::vector<NamespaceSpec> namespaces;
  std::vector<DeviceSpec> devices;
  std::string cgroups_path;
  linux::CgroupLimits limits;
  std::optional<linux::SeccompProfile> seccomp;
  std::vector<std::string> masked_paths;
  std::vector<std::string> read_only_paths;
  std::map<std::string, std::string> sysctl;
  std::string rootfs_propagation;
  std::map<std::string, std::string> annotations;

  // The namespace of that type; null when the container shares its creator's.
  const NamespaceSpec* find_namespace(std::string_view type) const;
};

// Reads a config.json. What koi does not do (user namespaces, hooks, Intel RDT, ...) is refused
// with unsupported, naming the field.
base::Result<Spec> parse_spec(const json::Value& config);
// Reads the process object of a config.json, as `exec --process` gets it.
base::Result<ProcessSpec> parse_process(const json::Value& process);

// Reads a linux.resources object, as `update --resources` gets it.
linux::CgroupLimits parse_resources(const json::Value& resources);

// The config.json of a spec, for another OCI runtime. What is not of OCI is left out.
json::Value spec_to_json(const Spec& spec);

// The paths that containers must not see or not change, as every engine has them.
std::vector<std::string> default_masked_paths();
std::vector<std::string> default_read_only_paths();

}  // namespace koi::runtime
