#include <algorithm>

#include "runtime/seccomp_json.h"
#include "runtime/spec.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using json::Value;

namespace {

constexpr std::string_view namespace_types[] = {"pid", "network", "mount", "ipc", "uts", "cgroup"};

std::vector<std::string> strings_at(const Value& value, json::Path path) {
  std::vector<std::string> result;
  for (const Value& each : json::array_at(value, path)) {
    if (const auto* text = each.if_string()) result.emplace_back(*text);
  }
  return result;
}

std::string text_at(const Value& value, json::Path path) {
  return std::string(json::string_at(value, path));
}

// Numbers may exceed what a signed one holds: limits without a bound are written as 2^64-1.
std::uint64_t unsigned_at(const Value& value, json::Path path) {
  const Value* found = json::find(value, path);
  if (found == nullptr) return 0;
  if (const auto* number = found->if_uint64()) return *number;
  if (const auto* number = found->if_int64()) return static_cast<std::uint64_t>(*number);
  return 0;
}

bool is_set(const Value& value, json::Path path) {
  const Value* found = json::find(value, path);
  if (found == nullptr || found->is_null()) return false;
  if (const auto* text = found->if_string()) return !text->empty();
  if (const auto* array = found->if_array()) return !array->empty();
  if (const auto* object = found->if_object()) return !object->empty();
  return true;
}

std::unexpected<base::Error> refuse(const std::string& field) {
  return fail(Code::unsupported, "'" + field + "' of the bundle's config.json is not supported");
}

Result<> refuse_unsupported(const Value& config) {
  constexpr std::string_view linux_fields[] = {"uidMappings", "gidMappings", "intelRdt",
                                               "personality", "timeOffsets", "mountLabel"};
  for (const std::string_view field : linux_fields) {
    if (is_set(config, {"linux", field})) return refuse("linux." + std::string(field));
  }
  constexpr std::string_view resource_fields[] = {"hugepageLimits", "rdma", "unified"};
  for (const std::string_view field : resource_fields) {
    if (is_set(config, {"linux", "resources", field})) {
      return refuse("linux.resources." + std::string(field));
    }
  }
  for (const auto& entry : json::object_at(config, {"hooks"})) {
    const auto* list = entry.value().if_array();
    if (list != nullptr && !list->empty()) return refuse("hooks." + std::string(entry.key()));
  }
  return {};
}

Result<linux::CapabilityMask> mask_at(const Value& value, std::string_view set) {
  linux::CapabilityMask mask = 0;
  for (const std::string& name : strings_at(value, {"capabilities", set})) {
    auto bit = linux::capability_bit(name);
    // Names younger than this program are passed over, as the specification asks.
    if (bit) mask |= *bit;
  }
  return mask;
}

Result<linux::CapabilitySets> capabilities_at(const Value& process) {
  linux::CapabilitySets sets;
  sets.bounding = *mask_at(process, "bounding");
  sets.effective = *mask_at(process, "effective");
  sets.inheritable = *mask_at(process, "inheritable");
  sets.permitted = *mask_at(process, "permitted");
  sets.ambient = *mask_at(process, "ambient");
  return sets;
}

Result<std::vector<DeviceSpec>> devices_at(const Value& config) {
  std::vector<DeviceSpec> devices;
  for (const Value& each : json::array_at(config, {"linux", "devices"})) {
    DeviceSpec device;
    device.path = text_at(each, {"path"});
    const std::string type = text_at(each, {"type"});
    if (type != "c" && type != "b" && type != "u") return refuse("linux.devices type " + type);
    device.type = type == "b" ? 'b' : 'c';
    device.major = static_cast<unsigned>(json::int_at(each, {"major"}, 0));
    device.minor = static_cast<unsigned>(json::int_at(each, {"minor"}, 0));
    device.mode = static_cast<unsigned>(json::int_at(each, {"fileMode"}, 0666)) & 07777;
    device.uid = static_cast<std::uint32_t>(json::int_at(each, {"uid"}, 0));
    device.gid = static_cast<std::uint32_t>(json::int_at(each, {"gid"}, 0));
    devices.push_back(std::move(device));
  }
  return devices;
}

// Zero and below mean "no limit", and the kernel's own defaults stay.
std::optional<std::int64_t> limit_at(const Value& resources, json::Path path) {
  const auto value = json::int_at(resources, path);
  return value && *value != 0 ? value : std::nullopt;
}

std::vector<linux::DeviceRule> device_rules_at(const Value& resources) {
  std::vector<linux::DeviceRule> rules;
  for (const Value& each : json::array_at(resources, {"devices"})) {
    linux::DeviceRule rule;
    rule.allow = json::bool_at(each, {"allow"});
    const std::string type = text_at(each, {"type"});
    rule.type = type.empty() ? 'a' : type.front();
    rule.major = json::int_at(each, {"major"});
    rule.minor = json::int_at(each, {"minor"});
    if (rule.major && *rule.major < 0) rule.major.reset();
    if (rule.minor && *rule.minor < 0) rule.minor.reset();
    const std::string access = text_at(each, {"access"});
    rule.access = access.empty() ? "rwm" : access;
    rules.push_back(std::move(rule));
  }
  if (rules.empty()) return rules;
  // Whatever is asked, a container must be able to use the standard devices.
  const auto standard = linux::default_device_rules();
  rules.insert(rules.end(), standard.begin() + 1, standard.end());
  return rules;
}

Result<std::vector<NamespaceSpec>> namespaces_at(const Value& config) {
  std::vector<NamespaceSpec> namespaces;
  for (const Value& each : json::array_at(config, {"linux", "namespaces"})) {
    NamespaceSpec entry{text_at(each, {"type"}), text_at(each, {"path"})};
    const bool known = std::find(std::begin(namespace_types), std::end(namespace_types),
                                 entry.type) != std::end(namespace_types);
    if (!known) return refuse("linux.namespaces type " + entry.type);
    namespaces.push_back(std::move(entry));
  }
  return namespaces;
}

std::map<std::string, std::string> map_at(const Value& value, json::Path path) {
  std::map<std::string, std::string> result;
  for (const auto& entry : json::object_at(value, path)) {
    if (const auto* text = entry.value().if_string()) {
      result.emplace(std::string(entry.key()), std::string(*text));
    }
  }
  return result;
}

std::vector<MountSpec> mounts_at(const Value& config) {
  std::vector<MountSpec> mounts;
  for (const Value& each : json::array_at(config, {"mounts"})) {
    MountSpec mount;
    mount.destination = text_at(each, {"destination"});
    mount.type = text_at(each, {"type"});
    mount.source = text_at(each, {"source"});
    mount.options = strings_at(each, {"options"});
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<> read_linux(const Value& config, Spec& spec) {
  auto namespaces = namespaces_at(config);
  if (!namespaces) return fail(std::move(namespaces).error());
  spec.namespaces = std::move(*namespaces);
  auto devices = devices_at(config);
  if (!devices) return fail(std::move(devices).error());
  spec.devices = std::move(*devices);
  spec.cgroups_path = text_at(config, {"linux", "cgroupsPath"});
  if (spec.cgroups_path.find(':') != std::string::npos)
    return refuse("linux.cgroupsPath of systemd");
  if (const Value* resources = json::find(config, {"linux", "resources"})) {
    spec.limits = parse_resources(*resources);
  }
  spec.masked_paths = strings_at(config, {"linux", "maskedPaths"});
  spec.read_only_paths = strings_at(config, {"linux", "readonlyPaths"});
  spec.sysctl = map_at(config, {"linux", "sysctl"});
  spec.rootfs_propagation = text_at(config, {"linux", "rootfsPropagation"});
  if (spec.rootfs_propagation.ends_with("shared")) return refuse("linux.rootfsPropagation shared");
  if (const Value* seccomp = json::find(config, {"linux", "seccomp"})) {
    auto profile = parse_seccomp(*seccomp);
    if (!profile) return fail(std::move(profile).error().during("linux.seccomp"));
    spec.seccomp = std::move(*profile);
  }
  return {};
}

}  // namespace

linux::CgroupLimits parse_resources(const Value& resources) {
  linux::CgroupLimits limits;
  limits.memory_bytes_max = limit_at(resources, {"memory", "limit"});
  limits.memory_swap_bytes_max = limit_at(resources, {"memory", "swap"});
  limits.memory_bytes_low = limit_at(resources, {"memory", "reservation"});
  limits.cpu_shares = limit_at(resources, {"cpu", "shares"});
  limits.cpu_quota_micros = limit_at(resources, {"cpu", "quota"});
  limits.cpu_period_micros = limit_at(resources, {"cpu", "period"});
  limits.cpuset_cpus = text_at(resources, {"cpu", "cpus"});
  limits.cpuset_mems = text_at(resources, {"cpu", "mems"});
  limits.pids_max = limit_at(resources, {"pids", "limit"});
  limits.devices = device_rules_at(resources);
  return limits;
}

Result<ProcessSpec> parse_process(const Value& value) {
  for (const std::string_view field : {"apparmorProfile", "selinuxLabel"}) {
    const std::string_view label = json::string_at(value, {field});
    if (!label.empty() && label != "unconfined") return refuse("process." + std::string(field));
  }
  ProcessSpec process;
  process.terminal = json::bool_at(value, {"terminal"});
  process.uid = static_cast<std::uint32_t>(json::int_at(value, {"user", "uid"}, 0));
  process.gid = static_cast<std::uint32_t>(json::int_at(value, {"user", "gid"}, 0));
  for (const Value& gid : json::array_at(value, {"user", "additionalGids"})) {
    if (const auto* number = gid.if_int64()) {
      process.additional_gids.push_back(static_cast<std::uint32_t>(*number));
    }
  }
  if (const auto umask = json::int_at(value, {"user", "umask"})) {
    process.umask = static_cast<unsigned>(*umask) & 0777;
  }
  process.args = strings_at(value, {"args"});
  process.env = strings_at(value, {"env"});
  process.cwd = text_at(value, {"cwd"});
  if (!process.cwd.starts_with('/')) return fail(Code::invalid, "process.cwd must be absolute");
  process.no_new_privileges = json::bool_at(value, {"noNewPrivileges"});
  if (const auto score = json::int_at(value, {"oomScoreAdj"})) {
    process.oom_score_adj = static_cast<int>(*score);
  }
  for (const Value& each : json::array_at(value, {"rlimits"})) {
    process.rlimits.push_back(
        {text_at(each, {"type"}), unsigned_at(each, {"soft"}), unsigned_at(each, {"hard"})});
  }
  auto capabilities = capabilities_at(value);
  if (!capabilities) return fail(std::move(capabilities).error());
  process.capabilities = *capabilities;
  return process;
}

Result<Spec> parse_spec(const Value& config) {
  if (!json::string_at(config, {"ociVersion"}).starts_with("1.")) {
    return fail(Code::invalid, "config.json is of no OCI version 1");
  }
  if (auto supported = refuse_unsupported(config); !supported) {
    return fail(std::move(supported).error());
  }
  Spec spec;
  if (const Value* value = json::find(config, {"process"})) {
    auto process = parse_process(*value);
    if (!process) return fail(std::move(process).error());
    spec.process = std::move(*process);
  }
  spec.root_path = text_at(config, {"root", "path"});
  if (spec.root_path.empty()) return fail(Code::invalid, "config.json has no root.path");
  spec.root_read_only = json::bool_at(config, {"root", "readonly"});
  spec.hostname = text_at(config, {"hostname"});
  spec.mounts = mounts_at(config);
  spec.annotations = map_at(config, {"annotations"});
  if (auto done = read_linux(config, spec); !done) return fail(std::move(done).error());
  return spec;
}

}  // namespace koi::runtime
