#include <algorithm>
#include <charconv>
#include <cmath>

#include "linux/cgroup.h"
#include "linux/device_filter.h"

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::int64_t default_period_micros = 100'000;

std::string or_max(std::int64_t value) { return value < 0 ? "max" : std::to_string(value); }

struct Writer {
  const CgroupTree& tree;
  const std::string& group;
  Result<> result{};

  void write(const CgroupHierarchy* hierarchy, std::string_view file, const std::string& text) {
    if (!result || hierarchy == nullptr) return;
    result = write_file(hierarchy->mount / group / file, text);
  }
};

void set_memory_v2(Writer& writer, const CgroupHierarchy* memory, const CgroupLimits& limits) {
  if (limits.memory_bytes_low) {
    writer.write(memory, "memory.low", std::to_string(*limits.memory_bytes_low));
  }
  if (limits.memory_bytes_max) {
    writer.write(memory, "memory.max", or_max(*limits.memory_bytes_max));
  }
  if (limits.memory_swap_bytes_max) {
    const std::int64_t both = *limits.memory_swap_bytes_max;
    const std::int64_t swap =
        both < 0 ? -1 : std::max<std::int64_t>(0, both - limits.memory_bytes_max.value_or(0));
    // Kernels without swap accounting lack the file, and then there is nothing to limit.
    (void)write_file(memory->mount / writer.group / "memory.swap.max", or_max(swap));
  }
  if (limits.kill_group_on_oom) writer.write(memory, "memory.oom.group", "1");
}

void set_memory_v1(Writer& writer, const CgroupHierarchy* memory, const CgroupLimits& limits) {
  if (limits.memory_bytes_max) {
    writer.write(memory, "memory.limit_in_bytes", std::to_string(*limits.memory_bytes_max));
  }
  if (limits.memory_swap_bytes_max) {
    (void)write_file(memory->mount / writer.group / "memory.memsw.limit_in_bytes",
                     std::to_string(*limits.memory_swap_bytes_max));
  }
  if (limits.memory_bytes_low) {
    writer.write(memory, "memory.soft_limit_in_bytes", std::to_string(*limits.memory_bytes_low));
  }
}

void set_cpu(Writer& writer, const CgroupHierarchy* cpu, const CgroupLimits& limits) {
  const std::int64_t period = limits.cpu_period_micros.value_or(default_period_micros);
  const bool bounded = limits.cpu_quota_micros || limits.cpu_period_micros;
  const std::int64_t quota = limits.cpu_quota_micros.value_or(-1);
  if (cpu->v2) {
    if (limits.cpu_shares) {
      const std::int64_t weight = weight_from_shares(*limits.cpu_shares);
      writer.write(cpu, "cpu.weight", std::to_string(weight));
    }
    if (bounded) {
      const bool unlimited = quota <= 0;
      writer.write(cpu, "cpu.max", or_max(unlimited ? -1 : quota) + " " + std::to_string(period));
    }
    return;
  }
  if (limits.cpu_shares) writer.write(cpu, "cpu.shares", std::to_string(*limits.cpu_shares));
  if (bounded) {
    writer.write(cpu, "cpu.cfs_period_us", std::to_string(period));
    writer.write(cpu, "cpu.cfs_quota_us", std::to_string(quota <= 0 ? -1 : quota));
  }
}

std::string rule_text(const DeviceRule& rule) {
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : std::string("*");
  };
  if (rule.type == 'a') return "a";
  return std::string(1, rule.type) + " " + number(rule.major) + ":" + number(rule.minor) + " " +
         rule.access;
}

void set_devices_v1(Writer& writer, const CgroupHierarchy* devices, const CgroupLimits& limits) {
  for (const DeviceRule& rule : limits.devices) {
    writer.write(devices, rule.allow ? "devices.allow" : "devices.deny", rule_text(rule));
  }
}

void set_cpuset(Writer& writer, const CgroupLimits& limits) {
  const CgroupHierarchy* cpuset = writer.tree.with("cpuset");
  if (cpuset == nullptr || (limits.cpuset_cpus.empty() && limits.cpuset_mems.empty())) return;
  if (!cpuset->v2) {
    writer.result = fail(Code::unsupported, "cpu sets need cgroup v2");
    return;
  }
  if (!limits.cpuset_cpus.empty()) writer.write(cpuset, "cpuset.cpus", limits.cpuset_cpus);
  if (!limits.cpuset_mems.empty()) writer.write(cpuset, "cpuset.mems", limits.cpuset_mems);
}

}  // namespace

std::int64_t weight_from_shares(std::int64_t shares) {
  // The curve that the OCI runtimes agreed on: 2 gives 1, the default 1024 the default 100, and
  // 262144 gives 10000. A straight line would give the default share only a weight of 39.
  const double doublings = std::log2(std::clamp<std::int64_t>(shares, 2, 262'144));
  const double exponent = (doublings * doublings + 125 * doublings) / 612 - 7.0 / 34;
  constexpr double rounding = 1e-9;
  return std::clamp<std::int64_t>(
      static_cast<std::int64_t>(std::ceil(std::pow(10, exponent) - rounding)), 1, 10'000);
}

std::vector<DeviceRule> default_device_rules() {
  const auto rule = [](char type, std::optional<std::int64_t> major,
                       std::optional<std::int64_t> minor,
                       const char* access) { return DeviceRule{true, type, major, minor, access}; };
  DeviceRule deny_all;
  return {deny_all,
          rule('c', {}, {}, "m"),      // mknod is a matter of CAP_MKNOD,
          rule('b', {}, {}, "m"),      // opening is not
          rule('c', 1, 3, "rwm"),      // null
          rule('c', 1, 5, "rwm"),      // zero
          rule('c', 1, 7, "rwm"),      // full
          rule('c', 1, 8, "rwm"),      // random
          rule('c', 1, 9, "rwm"),      // urandom
          rule('c', 5, 0, "rwm"),      // tty
          rule('c', 5, 1, "rwm"),      // console
          rule('c', 5, 2, "rwm"),      // ptmx
          rule('c', 136, {}, "rwm")};  // pts
}

Result<> set_limits(const CgroupTree& tree, const std::string& group, const CgroupLimits& limits) {
  Writer writer{tree, group};
  if (const CgroupHierarchy* memory = tree.with("memory")) {
    if (memory->v2) {
      set_memory_v2(writer, memory, limits);
    } else {
      set_memory_v1(writer, memory, limits);
    }
  }
  if (const CgroupHierarchy* cpu = tree.with("cpu")) set_cpu(writer, cpu, limits);
  if (limits.pids_max) writer.write(tree.with("pids"), "pids.max", or_max(*limits.pids_max));
  set_cpuset(writer, limits);
  if (!writer.result || limits.devices.empty()) return writer.result;
  if (const CgroupHierarchy* devices = tree.with("devices")) {
    set_devices_v1(writer, devices, limits);
    return writer.result;
  }
  if (const CgroupHierarchy* unified = tree.unified()) {
    return attach_device_filter(unified->mount / group, limits.devices);
  }
  return {};
}

std::uint64_t parse_flat_keyed(std::string_view text, std::string_view key) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    const std::string_view digits = line.substr(key.size() + 1);
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }
  return 0;
}

namespace {

std::uint64_t read_number(const Path& path) {
  std::uint64_t value = 0;
  if (auto text = read_file(path)) {
    std::from_chars(text->data(), text->data() + text->size(), value);
  }
  return value;
}

void read_memory(const CgroupHierarchy& memory, const Path& group, CgroupStats& stats) {
  const std::string detail = read_file(group / "memory.stat").value_or("");
  const char* inactive = memory.v2 ? "inactive_file" : "total_inactive_file";
  stats.memory_bytes =
      read_number(group / (memory.v2 ? "memory.current" : "memory.usage_in_bytes"));
  stats.memory_peak_bytes =
      read_number(group / (memory.v2 ? "memory.peak" : "memory.max_usage_in_bytes"));
  const std::uint64_t idle = parse_flat_keyed(detail, inactive);
  stats.memory_working_set_bytes = stats.memory_bytes > idle ? stats.memory_bytes - idle : 0;
}

}  // namespace

std::uint64_t read_oom_kills(const CgroupTree& tree, const std::string& group) {
  const CgroupHierarchy* memory = tree.with("memory");
  if (memory == nullptr) return 0;
  const char* file = memory->v2 ? "memory.events" : "memory.oom_control";
  return parse_flat_keyed(read_file(memory->mount / group / file).value_or(""), "oom_kill");
}

Result<CgroupStats> read_cgroup_stats(const CgroupTree& tree, const std::string& group) {
  const CgroupHierarchy* memory = tree.with("memory");
  if (memory == nullptr) return fail(Code::unsupported, "no memory cgroup controller");
  std::error_code error;
  if (!std::filesystem::exists(memory->mount / group, error)) {
    return fail(Code::not_found, "cgroup '" + group + "' is gone");
  }
  CgroupStats stats;
  read_memory(*memory, memory->mount / group, stats);
  if (const CgroupHierarchy* accounting = tree.with("cpuacct")) {
    stats.cpu_nanos = read_number(accounting->mount / group / "cpuacct.usage");
  } else if (const CgroupHierarchy* unified = tree.unified()) {
    const auto text = read_file(unified->mount / group / "cpu.stat").value_or("");
    stats.cpu_nanos = parse_flat_keyed(text, "usage_usec") * 1000;
  }
  if (const CgroupHierarchy* pids = tree.with("pids")) {
    stats.pids = read_number(pids->mount / group / "pids.current");
  }
  stats.oom_kills = read_oom_kills(tree, group);
  return stats;
}

}  // namespace koi::linux
