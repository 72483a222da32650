#include "linux/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cctype>

#include "linux/fd.h"

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::array<std::string_view, 41> names = {"CHOWN",
                                                    "DAC_OVERRIDE",
                                                    "DAC_READ_SEARCH",
                                                    "FOWNER",
                                                    "FSETID",
                                                    "KILL",
                                                    "SETGID",
                                                    "SETUID",
                                                    "SETPCAP",
                                                    "LINUX_IMMUTABLE",
                                                    "NET_BIND_SERVICE",
                                                    "NET_BROADCAST",
                                                    "NET_ADMIN",
                                                    "NET_RAW",
                                                    "IPC_LOCK",
                                                    "IPC_OWNER",
                                                    "SYS_MODULE",
                                                    "SYS_RAWIO",
                                                    "SYS_CHROOT",
                                                    "SYS_PTRACE",
                                                    "SYS_PACCT",
                                                    "SYS_ADMIN",
                                                    "SYS_BOOT",
                                                    "SYS_NICE",
                                                    "SYS_RESOURCE",
                                                    "SYS_TIME",
                                                    "SYS_TTY_CONFIG",
                                                    "MKNOD",
                                                    "LEASE",
                                                    "AUDIT_WRITE",
                                                    "AUDIT_CONTROL",
                                                    "SETFCAP",
                                                    "MAC_OVERRIDE",
                                                    "MAC_ADMIN",
                                                    "SYSLOG",
                                                    "WAKE_ALARM",
                                                    "BLOCK_SUSPEND",
                                                    "AUDIT_READ",
                                                    "PERFMON",
                                                    "BPF",
                                                    "CHECKPOINT_RESTORE"};

constexpr CapabilityMask bit(unsigned number) { return CapabilityMask{1} << number; }

}  // namespace

Result<CapabilityMask> capability_bit(std::string_view name) {
  std::string upper;
  for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string_view bare = upper;
  if (bare.starts_with("CAP_")) bare.remove_prefix(4);
  for (unsigned number = 0; number < names.size(); ++number) {
    if (names[number] == bare) return bit(number);
  }
  return fail(Code::invalid, "'" + std::string(name) + "' is no capability");
}

CapabilityMask all_capabilities() { return bit(names.size()) - 1; }

CapabilityMask kernel_capabilities() {
  CapabilityMask mask = 0;
  for (unsigned number = 0; number < names.size(); ++number) {
    if (::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0) mask |= bit(number);
  }
  return mask;
}

CapabilityMask default_container_capabilities() {
  return bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) |
         bit(CAP_MKNOD) | bit(CAP_NET_RAW) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) |
         bit(CAP_SETPCAP) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) |
         bit(CAP_AUDIT_WRITE);
}

std::vector<std::string> capability_names(CapabilityMask mask) {
  std::vector<std::string> result;
  for (unsigned number = 0; number < names.size(); ++number) {
    if ((mask & bit(number)) != 0) result.push_back("CAP_" + std::string(names[number]));
  }
  return result;
}

namespace {

struct CapabilityData {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct parts[2]{};
};

constexpr std::uint32_t low(CapabilityMask mask) { return static_cast<std::uint32_t>(mask); }
constexpr std::uint32_t high(CapabilityMask mask) { return static_cast<std::uint32_t>(mask >> 32); }

}  // namespace

Result<CapabilityMask> permitted_capabilities() {
  CapabilityData data;
  if (::syscall(SYS_capget, &data.header, data.parts) != 0) return fail_errno("capget");
  return CapabilityMask{data.parts[0].permitted} | CapabilityMask{data.parts[1].permitted} << 32;
}

Result<> limit_bounding_set(CapabilityMask mask) {
  for (unsigned number = 0; number < 64; ++number) {
    const int held = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held < 0) break;
    if (held == 0 || (mask & bit(number)) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return fail_errno("drop bounding set");
  }
  return {};
}

Result<> set_capabilities(const CapabilitySets& sets) {
  const auto held = permitted_capabilities();
  if (!held) return fail(held.error());
  const CapabilityMask permitted = sets.permitted & *held;
  const CapabilityMask effective = sets.effective & permitted;
  // Capabilities outside the bounding set cannot become inheritable.
  const CapabilityMask inheritable = sets.inheritable & *held;
  CapabilityData data;
  data.parts[0] = {low(effective), low(permitted), low(inheritable)};
  data.parts[1] = {high(effective), high(permitted), high(inheritable)};
  if (::syscall(SYS_capset, &data.header, data.parts) != 0) return fail_errno("capset");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned number = 0; number < names.size(); ++number) {
    if ((sets.ambient & permitted & inheritable & bit(number)) == 0) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) {
      return fail_errno("raise ambient capability");
    }
  }
  return {};
}

}  // namespace koi::linux
