#include "runtime/seccomp_json.h"
#include "runtime/spec.h"

namespace koi::runtime {

using json::Array;
using json::Object;
using json::Value;

namespace {

template <class List>
Array array_of(const List& list) {
  Array array;
  for (const auto& each : list) array.emplace_back(each);
  return array;
}

Object object_of(const std::map<std::string, std::string>& map) {
  Object object;
  for (const auto& [name, value] : map) object[name] = value;
  return object;
}

Object write_process(const ProcessSpec& process) {
  Object user;
  user["uid"] = process.uid;
  user["gid"] = process.gid;
  user["additionalGids"] = array_of(process.additional_gids);
  if (process.umask) user["umask"] = *process.umask;
  Object capabilities;
  const linux::CapabilitySets& sets = process.capabilities;
  capabilities["bounding"] = array_of(linux::capability_names(sets.bounding));
  capabilities["effective"] = array_of(linux::capability_names(sets.effective));
  capabilities["inheritable"] = array_of(linux::capability_names(sets.inheritable));
  capabilities["permitted"] = array_of(linux::capability_names(sets.permitted));
  capabilities["ambient"] = array_of(linux::capability_names(sets.ambient));
  Array rlimits;
  for (const RlimitSpec& limit : process.rlimits) {
    Object entry;
    entry["type"] = limit.type;
    entry["soft"] = limit.soft;
    entry["hard"] = limit.hard;
    rlimits.emplace_back(std::move(entry));
  }
  Object object;
  object["terminal"] = process.terminal;
  object["user"] = std::move(user);
  object["args"] = array_of(process.args);
  object["env"] = array_of(process.env);
  object["cwd"] = process.cwd;
  object["capabilities"] = std::move(capabilities);
  object["rlimits"] = std::move(rlimits);
  object["noNewPrivileges"] = process.no_new_privileges;
  if (process.oom_score_adj) object["oomScoreAdj"] = *process.oom_score_adj;
  return object;
}

Object write_resources(const linux::CgroupLimits& limits) {
  Value resources = Object();
  const auto set = [&](json::Path path, const std::optional<std::int64_t>& value) {
    if (value) json::set(resources, path, *value);
  };
  set({"memory", "limit"}, limits.memory_bytes_max);
  set({"memory", "swap"}, limits.memory_swap_bytes_max);
  set({"memory", "reservation"}, limits.memory_bytes_low);
  set({"cpu", "shares"}, limits.cpu_shares);
  set({"cpu", "quota"}, limits.cpu_quota_micros);
  set({"cpu", "period"}, limits.cpu_period_micros);
  set({"pids", "limit"}, limits.pids_max);
  if (!limits.cpuset_cpus.empty())
    json::set(resources, {"cpu", "cpus"}, json::Value(limits.cpuset_cpus));
  if (!limits.cpuset_mems.empty())
    json::set(resources, {"cpu", "mems"}, json::Value(limits.cpuset_mems));
  Array devices;
  for (const linux::DeviceRule& rule : limits.devices) {
    Object entry;
    entry["allow"] = rule.allow;
    entry["type"] = std::string(1, rule.type);
    if (rule.major) entry["major"] = *rule.major;
    if (rule.minor) entry["minor"] = *rule.minor;
    entry["access"] = rule.access;
    devices.emplace_back(std::move(entry));
  }
  json::set(resources, {"devices"}, std::move(devices));
  return resources.as_object();
}

Object write_linux(const Spec& spec) {
  Array namespaces;
  for (const NamespaceSpec& each : spec.namespaces) {
    Object entry;
    entry["type"] = each.type;
    if (!each.path.empty()) entry["path"] = each.path;
    namespaces.emplace_back(std::move(entry));
  }
  Array devices;
  for (const DeviceSpec& each : spec.devices) {
    Object entry;
    entry["path"] = each.path;
    entry["type"] = std::string(1, each.type);
    entry["major"] = each.major;
    entry["minor"] = each.minor;
    entry["fileMode"] = each.mode;
    entry["uid"] = each.uid;
    entry["gid"] = each.gid;
    devices.emplace_back(std::move(entry));
  }
  Object object;
  object["namespaces"] = std::move(namespaces);
  object["devices"] = std::move(devices);
  if (!spec.cgroups_path.empty()) object["cgroupsPath"] = spec.cgroups_path;
  object["resources"] = write_resources(spec.limits);
  if (spec.seccomp) object["seccomp"] = seccomp_to_json(*spec.seccomp);
  object["maskedPaths"] = array_of(spec.masked_paths);
  object["readonlyPaths"] = array_of(spec.read_only_paths);
  object["sysctl"] = object_of(spec.sysctl);
  if (!spec.rootfs_propagation.empty()) object["rootfsPropagation"] = spec.rootfs_propagation;
  return object;
}

}  // namespace

Value spec_to_json(const Spec& spec) {
  Object root;
  root["path"] = spec.root_path;
  root["readonly"] = spec.root_read_only;
  Array mounts;
  for (const MountSpec& each : spec.mounts) {
    Object entry;
    entry["destination"] = each.destination;
    entry["type"] = each.type;
    entry["source"] = each.source;
    entry["options"] = array_of(each.options);
    mounts.emplace_back(std::move(entry));
  }
  Object object;
  object["ociVersion"] = "1.0.2";
  object["process"] = write_process(spec.process);
  object["root"] = std::move(root);
  if (!spec.hostname.empty()) object["hostname"] = spec.hostname;
  object["mounts"] = std::move(mounts);
  object["annotations"] = object_of(spec.annotations);
  object["linux"] = write_linux(spec);
  return object;
}

}  // namespace koi::runtime
