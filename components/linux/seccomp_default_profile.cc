#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "linux/seccomp_filter.h"

// Which system calls containers may make by default: the facts of the profile that container
// engines share, for kernels from 5.12.
namespace koi::linux {

namespace {

constexpr std::string_view always_allowed =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
    "chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
    "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir "
    "fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 "
    "fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv "
    "futex_wake futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 "
    "getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid "
    "getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit "
    "get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid "
    "gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat "
    "listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr "
    "lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir "
    "mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
    "mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink "
    "mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at "
    "nanosleep newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal "
    "pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv "
    "preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 "
    "pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv "
    "recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat "
    "rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam "
    "sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 "
    "setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority "
    "setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
    "setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid "
    "setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
    "signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
    "statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
    "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
    "uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
    "write writev arch_prctl modify_ldt sync_file_range2 arm_fadvise64_64 arm_sync_file_range "
    "breakpoint cacheflush set_tls riscv_flush_icache riscv_hwprobe";

struct ByCapability {
  unsigned capability;
  std::string_view calls;
};

constexpr std::array by_capability = {
    ByCapability{CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    ByCapability{CAP_SYS_ADMIN,
                 "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
                 "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr "
                 "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
                 "sethostname setns syslog umount umount2 unshare"},
    ByCapability{CAP_SYS_BOOT, "reboot"},
    ByCapability{CAP_SYS_CHROOT, "chroot"},
    ByCapability{CAP_SYS_MODULE, "delete_module init_module finit_module"},
    ByCapability{CAP_SYS_PACCT, "acct"},
    ByCapability{CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"},
    ByCapability{CAP_SYS_RAWIO, "iopl ioperm"},
    ByCapability{CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"},
    ByCapability{CAP_SYS_TTY_CONFIG, "vhangup"},
    ByCapability{CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    ByCapability{CAP_SYSLOG, "syslog"},
    ByCapability{CAP_BPF, "bpf"},
    ByCapability{CAP_PERFMON, "perf_event_open"},
};

constexpr bool holds(CapabilityMask mask, unsigned capability) {
  return (mask >> capability & 1) != 0;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) result.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

SeccompRule allow(std::string_view calls, std::vector<SeccompArgument> arguments = {}) {
  SeccompRule rule;
  rule.names = words(calls);
  rule.arguments = std::move(arguments);
  return rule;
}

using Operator = SeccompArgument::Operator;

// The kernel's crypto sockets and host-guest sockets stay closed: containers have no use for them.
// AF_ALG is 38 and AF_VSOCK 40; the families between and around them are allowed.
void add_sockets(SeccompProfile& profile) {
  profile.rules.push_back(allow("socket", {{0, AF_ALG, 0, Operator::less}}));
  profile.rules.push_back(allow("socket", {{0, AF_NFC, 0, Operator::equal}}));
  profile.rules.push_back(allow("socket", {{0, AF_VSOCK, 0, Operator::greater}}));
}

void add_clone(SeccompProfile& profile) {
  constexpr std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                       CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;
  profile.rules.push_back(allow("clone", {{0, namespaces, 0, Operator::masked_equal}}));
  // Its flags lie behind a pointer that a filter cannot read; callers fall back to clone on ENOSYS.
  SeccompRule refuse;
  refuse.names = {"clone3"};
  refuse.action = SeccompAction::fail_with_errno;
  refuse.errno_value = ENOSYS;
  profile.rules.push_back(std::move(refuse));
}

}  // namespace

CapabilityMask capabilities_seen_by_seccomp() {
  CapabilityMask mask = 0;
  for (const auto& entry : by_capability) mask |= CapabilityMask{1} << entry.capability;
  return mask;
}

SeccompProfile default_seccomp_profile(CapabilityMask capabilities) {
  SeccompProfile profile;
  profile.newest_calls_allowed = true;
  profile.default_errno = EPERM;
#if defined(__x86_64__)
  profile.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#elif defined(__aarch64__)
  profile.architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
  profile.rules.push_back(allow(always_allowed));
  add_sockets(profile);
  for (const std::uint64_t persona : {0x0U, 0x8U, 0x20000U, 0x20008U, 0xffffffffU}) {
    profile.rules.push_back(allow("personality", {{0, persona, 0, Operator::equal}}));
  }
  for (const auto& [capability, calls] : by_capability) {
    if (holds(capabilities, capability)) profile.rules.push_back(allow(calls));
  }
  if (!holds(capabilities, CAP_SYS_ADMIN)) add_clone(profile);
  return profile;
}

}  // namespace koi::linux
