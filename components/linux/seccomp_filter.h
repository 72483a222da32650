#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/capabilities.h"

// System call filters: a profile as data, compiled once into a BPF program that is loaded raw.
namespace koi::linux {

enum class SeccompAction { allow, fail_with_errno, kill_process, kill_thread, trap, log, trace };

// The condition on one argument: `masked_equal` compares (argument & value) with value_two.
struct SeccompArgument {
  enum class Operator { not_equal, less, less_equal, equal, greater_equal, greater, masked_equal };
  unsigned index = 0;  // 0..5
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;
  Operator compare = Operator::equal;
};

// All arguments must match. Names that this machine's library does not know are passed over.
struct SeccompRule {
  std::vector<std::string> names;
  SeccompAction action = SeccompAction::allow;
  unsigned errno_value = 1;  // EPERM
  std::vector<SeccompArgument> arguments;
};

struct SeccompProfile {
  SeccompAction default_action = SeccompAction::fail_with_errno;
  unsigned default_errno = 1;
  std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64"; the native one is always in
  std::vector<SeccompRule> rules;
  // System calls newer than the library: allowed up to the newest one that was looked at, and
  // ENOSYS beyond, so that libraries fall back to older calls.
  bool newest_calls_allowed = false;
};

// The common container default: an allow-list that widens with the capabilities held.
SeccompProfile default_seccomp_profile(CapabilityMask capabilities);

// The capabilities that change what default_seccomp_profile() returns; others need no new program.
CapabilityMask capabilities_seen_by_seccomp();

// The profile as an array of struct sock_filter.
base::Result<std::string> compile_seccomp(const SeccompProfile& profile);

// Loads a compiled program into the calling thread for good. Without no_new_privs the caller needs
// CAP_SYS_ADMIN.
base::Result<> load_seccomp(std::string_view program);

}  // namespace koi::linux
