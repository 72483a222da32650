#include "runtime/shim.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>

#include "linux/process.h"
#include "runtime/container_plan.h"
#include "runtime/paths.h"
#include "runtime/pod_recovery.h"
#include "runtime/records.h"
#include "runtime/shim_server.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;

namespace {

std::optional<ShimOptions> parse_options(int argc, char** argv) {
  ShimOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--dir") {
      options.pod_directory = argv[i + 1];
    } else if (name == "--cgroup-parent") {
      options.cgroup_parent = argv[i + 1];
    } else {
      return std::nullopt;
    }
  }
  if (argc % 2 == 0 || options.pod_directory.empty()) return std::nullopt;
  return options;
}

// Held for as long as the shim lives: two shims never serve one pod.
Result<UniqueFd> take_lock(const ShimOptions& options) {
  auto lock = linux::open_file(paths::shim_lock(options.pod_directory), O_RDWR | O_CREAT, 0600);
  if (!lock) return lock;
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) == 0) return lock;
  return fail(Code::already_exists, "another shim serves this pod");
}

// Starting a pod: 1 the lock  2 the burial of what was before  3 the cgroups  4 the namespaces
// 5 the socket  6 shim.json. Killed in
// between, the kernel takes the lock and the namespaces back; the cgroups are found by name.
Result<PodContext> make_context(const ShimOptions& options) {
  PodContext pod;
  pod.directory = options.pod_directory;
  auto value = read_json(paths::pod_spec(pod.directory));
  if (!value) return fail(std::move(value).error());
  auto spec = pod_spec_from_json(*value);
  if (!spec) return fail(std::move(spec).error());
  pod.spec = std::move(*spec);
  auto tree = linux::detect_cgroups();
  if (!tree) return fail(std::move(tree).error());
  pod.tree = std::move(*tree);
  // What a shim before us left: its containers died with it, or die now.
  auto before = bury_pod(pod.tree, options.cgroup_parent, pod.directory);
  if (!before) return fail(std::move(before).error());
  pod.past = std::move(before->containers);
  // Out of the agent's own groups, so that stopping its service spares the shims.
  const std::string shims = options.cgroup_parent + "/shims";
  if (auto done = linux::create_cgroup(pod.tree, shims); !done) return fail(done.error());
  if (auto done = linux::join_cgroup(pod.tree, shims, false); !done) return fail(done.error());
  pod.cgroup = pod_cgroup(options.cgroup_parent, pod.spec);
  if (auto done = linux::create_cgroup(pod.tree, pod.cgroup); !done) return fail(done.error());
  auto limited = linux::set_limits(pod.tree, pod.cgroup, cgroup_limits(pod.spec.resources));
  if (!limited) return fail(std::move(limited).error());
  return pod;
}

Result<> write_record(const base::Path& pod_directory) {
  auto stat = linux::read_process_stat(::getpid());
  if (!stat) return fail(std::move(stat).error());
  auto boot_id = linux::read_boot_id();
  if (!boot_id) return fail(std::move(boot_id).error());
  const ShimRecord record{stat->pid, stat->start_ticks, *boot_id};
  return linux::replace_file(paths::shim_record(pod_directory), json::serialize(to_json(record)));
}

void say(const std::string& text) { (void)linux::write_all(STDOUT_FILENO, text + "\n"); }

// Whoever started us needs our output no longer, and must not wait for its end.
void let_go_of_stdio() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd < 3 && null; ++fd) ::dup2(null.get(), fd);
}

Result<> serve(const ShimOptions& options) {
  auto lock = take_lock(options);
  if (!lock) return fail(std::move(lock).error());
  auto pod = make_context(options);
  if (!pod) return fail(std::move(pod).error());
  auto sandbox = enter_sandbox(pod->spec, pod->directory);
  if (!sandbox) return fail(std::move(sandbox).error());
  auto loop = EventLoop::create();
  if (!loop) return fail(std::move(loop).error());
  const base::Path directory = pod->directory;
  ShimServer server(std::move(*pod), std::move(*sandbox), *loop);
  if (auto done = server.listen(); !done) return done;
  if (auto done = write_record(directory); !done) return done;
  say("ok");
  let_go_of_stdio();
  server.run();
  return {};
}

void become_small() {
  // Freed memory goes back to the kernel at once: a shim lives long and does little.
  ::mallopt(M_TRIM_THRESHOLD, 64 * 1024);
  ::mallopt(M_TOP_PAD, 16 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

}  // namespace

int run_shim_command(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) {
    std::fputs("usage: koi shim --dir DIR [--cgroup-parent NAME]\n", stderr);
    return 2;
  }
  const pid_t pid = ::fork();
  if (pid != 0) return pid > 0 ? 0 : 1;
  ::setsid();
  become_small();
  ::prctl(PR_SET_NAME, "koi-shim", 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
  if (::chdir("/") != 0) return 1;
  (void)linux::write_file("/proc/self/oom_score_adj", "-998");
  if (auto done = serve(*options); !done) {
    say(done.error().message);
    return 1;
  }
  return 0;
}

}  // namespace koi::runtime
