#include "linux/seccomp_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

#include "linux/fd.h"

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

namespace {

// System calls from 424 on have the same number on every architecture. 451 (cachestat) to 466
// (removexattrat) are younger than the library's tables; 459 to 461 are the security module calls.
constexpr std::uint32_t first_young_call = 451;
constexpr std::uint32_t first_module_call = 459;
constexpr std::uint32_t last_module_call = 461;
constexpr std::uint32_t last_young_call = 466;

std::uint32_t action_value(SeccompAction action, unsigned errno_value) {
  switch (action) {
    case SeccompAction::allow:
      return SCMP_ACT_ALLOW;
    case SeccompAction::fail_with_errno:
      return SCMP_ACT_ERRNO(errno_value & 0xffffU);
    case SeccompAction::kill_process:
      return SCMP_ACT_KILL_PROCESS;
    case SeccompAction::kill_thread:
      return SCMP_ACT_KILL_THREAD;
    case SeccompAction::trap:
      return SCMP_ACT_TRAP;
    case SeccompAction::log:
      return SCMP_ACT_LOG;
    case SeccompAction::trace:
      return SCMP_ACT_TRACE(errno_value & 0xffffU);
  }
  return SCMP_ACT_KILL_PROCESS;
}

scmp_compare compare_value(SeccompArgument::Operator compare) {
  using Operator = SeccompArgument::Operator;
  switch (compare) {
    case Operator::not_equal:
      return SCMP_CMP_NE;
    case Operator::less:
      return SCMP_CMP_LT;
    case Operator::less_equal:
      return SCMP_CMP_LE;
    case Operator::equal:
      return SCMP_CMP_EQ;
    case Operator::greater_equal:
      return SCMP_CMP_GE;
    case Operator::greater:
      return SCMP_CMP_GT;
    case Operator::masked_equal:
      return SCMP_CMP_MASKED_EQ;
  }
  return SCMP_CMP_EQ;
}

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

std::unexpected<base::Error> fail_library(int result, const std::string& action) {
  return fail(base::errno_error(-result, action));
}

Result<> add_architectures(const Context& context, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::string bare = name.starts_with("SCMP_ARCH_") ? name.substr(10) : name;
    for (char& c : bare) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::uint32_t architecture = seccomp_arch_resolve_name(bare.c_str());
    if (architecture == 0) return fail(Code::invalid, "'" + name + "' is no architecture");
    const int result = seccomp_arch_add(context.get(), architecture);
    if (result != 0 && result != -EEXIST) return fail_library(result, "add '" + name + "'");
  }
  return {};
}

Result<> add_rule(const Context& context, const SeccompRule& rule, std::uint32_t default_action) {
  const std::uint32_t action = action_value(rule.action, rule.errno_value);
  if (action == default_action) return {};
  std::array<scmp_arg_cmp, 6> arguments{};
  if (rule.arguments.size() > arguments.size()) {
    return fail(Code::invalid, "a rule has more than 6 arguments");
  }
  for (std::size_t i = 0; i < rule.arguments.size(); ++i) {
    const auto& from = rule.arguments[i];
    if (from.index > 5) return fail(Code::invalid, "argument index is over 5");
    arguments[i] = {from.index, compare_value(from.compare), from.value, from.value_two};
  }
  for (const std::string& name : rule.names) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    const int result =
        seccomp_rule_add_array(context.get(), action, number,
                               static_cast<unsigned>(rule.arguments.size()), arguments.data());
    if (result != 0 && result != -EEXIST) return fail_library(result, "filter '" + name + "'");
  }
  return {};
}

bool allows(const SeccompProfile& profile, std::string_view call) {
  for (const SeccompRule& rule : profile.rules) {
    if (rule.action != SeccompAction::allow) continue;
    for (const std::string& name : rule.names) {
      if (name == call) return true;
    }
  }
  return false;
}

// Runs before the library's program: jumps are relative, so the two are simply joined.
std::string young_call_program(bool module_calls) {
  constexpr std::uint32_t number_offset = offsetof(seccomp_data, nr);
  const std::uint32_t no_such_call = SECCOMP_RET_ERRNO | ENOSYS;
  const std::uint32_t module_action =
      module_calls ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | std::uint32_t{EPERM};
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number_offset),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_young_call, 0, 6),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_young_call, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_module_call, 0, 1),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_module_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, module_action),
      BPF_STMT(BPF_RET | BPF_K, no_such_call),
  };
  return std::string(reinterpret_cast<const char*>(code), sizeof code);
}

Result<std::string> export_program(const Context& context) {
  // The library writes to a descriptor only; its programs stay far below a pipe's 64 KiB.
  auto pipe = make_pipe();
  if (!pipe) return fail(std::move(pipe).error());
  const int result = seccomp_export_bpf(context.get(), pipe->write_end.get());
  if (result != 0) return fail_library(result, "export filter");
  pipe->write_end.reset();
  return read_all(pipe->read_end.get(), 64 * 1024);
}

}  // namespace

Result<std::string> compile_seccomp(const SeccompProfile& profile) {
  const std::uint32_t default_action = action_value(profile.default_action, profile.default_errno);
  const Context context(seccomp_init(default_action));
  if (!context) return fail(Code::internal, "seccomp filter could not be made");
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (auto added = add_architectures(context, profile.architectures); !added) {
    return fail(std::move(added).error());
  }
  for (const SeccompRule& rule : profile.rules) {
    if (auto added = add_rule(context, rule, default_action); !added) {
      return fail(std::move(added).error());
    }
  }
  auto program = export_program(context);
  if (!program || !profile.newest_calls_allowed) return program;
  return young_call_program(allows(profile, "lsm_list_modules")) + *program;
}

Result<> load_seccomp(std::string_view program) {
  if (program.size() % sizeof(sock_filter) != 0 || program.empty()) {
    return fail(Code::invalid, "seccomp program is damaged");
  }
  std::string copy(program);
  sock_fprog filter{static_cast<unsigned short>(copy.size() / sizeof(sock_filter)),
                    reinterpret_cast<sock_filter*>(copy.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
    return fail_errno("load seccomp filter");
  }
  return {};
}

}  // namespace koi::linux
