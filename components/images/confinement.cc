#include "images/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "images/unpack_process.h"
#include "linux/capabilities.h"
#include "linux/fd.h"
#include "linux/seccomp_filter.h"

namespace koi::images {

namespace {

constexpr rlim_t memory_bytes_max = 1024UL * 1024 * 1024;
constexpr rlim_t descriptors_max = 256;
constexpr id_t nobody = 65534;

const std::vector<std::string>& decompressor_calls() {
  static const std::vector<std::string> calls{
      "read",         "write",          "brk",          "mmap",          "munmap",         "mremap",
      "mprotect",     "madvise",        "futex",        "exit",          "exit_group",     "close",
      "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "clock_gettime", "gettimeofday",   "getpid",
      "gettid",       "tgkill",         "getrandom",    "sched_yield",   "restart_syscall"};
  return calls;
}

std::vector<std::string> tree_writer_calls() {
  std::vector<std::string> calls = decompressor_calls();
  for (const char* name :
       {"pwrite64",  "openat",    "openat2",    "fstat",    "newfstatat", "statx",
        "lseek",     "mkdirat",   "mknodat",    "linkat",   "symlinkat",  "unlinkat",
        "fchown",    "fchownat",  "fchmod",     "fchmodat", "fchmodat2",  "fsetxattr",
        "utimensat", "ftruncate", "getdents64", "fcntl"}) {
    calls.emplace_back(name);
  }
  return calls;
}

base::Result<> limit(int resource, rlim_t value, const char* what) {
  rlimit current{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &current) != 0) {
    return linux::fail_errno(what);
  }
  if (current.rlim_max < value) value = current.rlim_max;
  const rlimit wanted{.rlim_cur = value, .rlim_max = value};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0) return {};
  return linux::fail_errno(what);
}

base::Result<> prepare() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return linux::fail_errno("no_new_privs");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return linux::fail_errno("dumpable");
  ::umask(0);
  // Old kernels lack the call; descriptors are close-on-exec anyway.
  (void)::syscall(SYS_close_range, static_cast<unsigned>(directory_descriptor + 1), ~0U, 0U);
  if (auto done = limit(RLIMIT_CORE, 0, "limit core"); !done) return done;
  if (auto done = limit(RLIMIT_NOFILE, descriptors_max, "limit descriptors"); !done) return done;
  return limit(RLIMIT_AS, memory_bytes_max, "limit memory");
}

// Files only below `root`. Best effort: chroot, capabilities and seccomp stand without it. Below
// version 2 Landlock forbids every hard link between directories, which layers need.
void landlock(int root) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 2) return;
  constexpr __u64 everything = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;
  const landlock_ruleset_attr attributes{.handled_access_fs = everything};
  linux::UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!rules) return;
  if (root >= 0) {
    const landlock_path_beneath_attr beneath{
        .allowed_access = everything & ~static_cast<__u64>(LANDLOCK_ACCESS_FS_EXECUTE |
                                                           LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                                           LANDLOCK_ACCESS_FS_MAKE_SOCK),
        .parent_fd = root};
    if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) !=
        0) {
      return;
    }
  }
  (void)::syscall(SYS_landlock_restrict_self, rules.get(), 0);
}

base::Result<> keep_capabilities(linux::CapabilityMask mask) {
  if (auto done = linux::limit_bounding_set(mask); !done) return done;
  return linux::set_capabilities(
      {.bounding = mask, .effective = mask, .inheritable = 0, .permitted = mask, .ambient = 0});
}

base::Result<> filter_calls(std::vector<std::string> calls) {
  linux::SeccompProfile profile;
  profile.default_action = linux::SeccompAction::kill_process;
  profile.rules.push_back({.names = std::move(calls), .arguments = {}});
  auto program = linux::compile_seccomp(profile);
  if (!program) return base::fail(std::move(program).error());
  return linux::load_seccomp(*program);
}

}  // namespace

base::Result<> confine_decompressor() {
  if (auto done = prepare(); !done) return done;
  ::close(directory_descriptor);
  landlock(-1);
  if (::geteuid() == 0) {
    if (::setgroups(0, nullptr) != 0) return linux::fail_errno("drop groups");
    if (auto done = linux::limit_bounding_set(0); !done) return done;
    if (::setresgid(nobody, nobody, nobody) != 0) return linux::fail_errno("change group");
    if (::setresuid(nobody, nobody, nobody) != 0) return linux::fail_errno("change user");
    if (auto done = linux::set_capabilities({}); !done) return done;
  }
  return filter_calls(decompressor_calls());
}

base::Result<> confine_tree_writer() {
  if (auto done = prepare(); !done) return done;
  if (::fchdir(directory_descriptor) != 0) return linux::fail_errno("enter directory");
  if (::geteuid() == 0) {
    if (::chroot(".") != 0) return linux::fail_errno("change root");
    if (::setgroups(0, nullptr) != 0) return linux::fail_errno("drop groups");
  }
  landlock(directory_descriptor);
  if (::geteuid() == 0) {
    linux::CapabilityMask mask = 0;
    for (const char* name : {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP"}) {
      auto bit = linux::capability_bit(name);
      if (!bit) return base::fail(std::move(bit).error());
      mask |= *bit;
    }
    if (auto done = keep_capabilities(mask); !done) return done;
  }
  return filter_calls(tree_writer_calls());
}

}  // namespace koi::images
