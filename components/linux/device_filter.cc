#include "linux/device_filter.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace koi::linux {

using base::Result;

namespace {

std::uint64_t encode(std::uint8_t code, std::uint8_t target, std::uint8_t source,
                     std::int16_t offset, std::int32_t immediate) {
  bpf_insn instruction{};
  instruction.code = code;
  instruction.dst_reg = target & 0xf;
  instruction.src_reg = source & 0xf;
  instruction.off = offset;
  instruction.imm = immediate;
  std::uint64_t bits = 0;
  static_assert(sizeof instruction == sizeof bits);
  std::memcpy(&bits, &instruction, sizeof bits);
  return bits;
}

constexpr std::uint8_t load_word = BPF_LDX | BPF_MEM | BPF_W;
constexpr std::uint8_t move = BPF_ALU64 | BPF_MOV;
constexpr std::uint8_t exit_code = BPF_JMP | BPF_EXIT;

std::int32_t access_bits(const std::string& access) {
  std::int32_t bits = 0;
  if (access.find('r') != std::string::npos) bits |= BPF_DEVCG_ACC_READ;
  if (access.find('w') != std::string::npos) bits |= BPF_DEVCG_ACC_WRITE;
  if (access.find('m') != std::string::npos) bits |= BPF_DEVCG_ACC_MKNOD;
  return bits;
}

// Registers: 2 type, 3 access, 4 major, 5 minor. A rule that does not match jumps past itself.
void add_rule(const DeviceRule& rule, std::vector<std::uint64_t>& program) {
  std::vector<std::uint64_t> code;
  std::vector<std::size_t> jumps;
  const auto unless = [&](std::uint8_t target, std::int64_t value) {
    jumps.push_back(code.size());
    code.push_back(
        encode(BPF_JMP | BPF_JNE | BPF_K, target, 0, 0, static_cast<std::int32_t>(value)));
  };
  if (rule.type != 'a') {
    unless(2, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    const std::int32_t bits = access_bits(rule.access);
    // Allowed only when nothing beyond the rule's access is asked; denied when anything of it is.
    code.push_back(encode(move | BPF_X, 1, 3, 0, 0));
    code.push_back(encode(BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, rule.allow ? ~bits : bits));
    jumps.push_back(code.size());
    const std::uint8_t test = rule.allow ? BPF_JNE : BPF_JEQ;
    code.push_back(encode(static_cast<std::uint8_t>(BPF_JMP | BPF_K | test), 1, 0, 0, 0));
    if (rule.major) unless(4, *rule.major);
    if (rule.minor) unless(5, *rule.minor);
  }
  code.push_back(encode(move | BPF_K, 0, 0, 0, rule.allow ? 1 : 0));
  code.push_back(encode(exit_code, 0, 0, 0, 0));
  for (const std::size_t jump : jumps) {
    bpf_insn instruction{};
    std::memcpy(&instruction, &code[jump], sizeof instruction);
    instruction.off = static_cast<std::int16_t>(code.size() - jump - 1);
    std::memcpy(&code[jump], &instruction, sizeof instruction);
  }
  program.insert(program.end(), code.begin(), code.end());
}

}  // namespace

std::vector<std::uint64_t> compile_device_filter(const std::vector<DeviceRule>& rules) {
  constexpr std::int16_t type_offset = offsetof(bpf_cgroup_dev_ctx, access_type);
  constexpr std::int16_t major_offset = offsetof(bpf_cgroup_dev_ctx, major);
  constexpr std::int16_t minor_offset = offsetof(bpf_cgroup_dev_ctx, minor);
  std::vector<std::uint64_t> program = {
      encode(load_word, 2, 1, type_offset, 0),
      encode(move | BPF_X, 3, 2, 0, 0),
      encode(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff),
      encode(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16),
      encode(load_word, 4, 1, major_offset, 0),
      encode(load_word, 5, 1, minor_offset, 0),
  };
  // The last rule that matches decides, so the program looks at them from the end. What comes
  // before a rule for all devices never matters.
  bool decided = false;
  for (auto rule = rules.rbegin(); rule != rules.rend() && !decided; ++rule) {
    add_rule(*rule, program);
    decided = rule->type == 'a';
  }
  if (!decided) {
    program.push_back(encode(move | BPF_K, 0, 0, 0, 1));
    program.push_back(encode(exit_code, 0, 0, 0, 0));
  }
  return program;
}

Result<> attach_device_filter(const Path& group, const std::vector<DeviceRule>& rules) {
  const std::vector<std::uint64_t> program = compile_device_filter(rules);
  static const char license[] = "Apache-2.0";
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<std::uint64_t>(program.data());
  load.insn_cnt = static_cast<std::uint32_t>(program.size());
  load.license = reinterpret_cast<std::uint64_t>(license);
  const UniqueFd loaded(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
  if (!loaded) return fail_errno("load device filter");
  auto directory = open_file(group, O_RDONLY | O_DIRECTORY);
  if (!directory) return base::fail(std::move(directory).error());
  bpf_attr attach{};
  attach.target_fd = static_cast<std::uint32_t>(directory->get());
  attach.attach_bpf_fd = static_cast<std::uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) != 0) {
    return fail_errno("attach device filter to", group);
  }
  return {};
}

}  // namespace koi::linux
