#include "images/unpacker.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include "crypto/digest.h"
#include "images/compression.h"
#include "images/tree_writer.h"
#include "images/unpack_process.h"
#include "linux/fd.h"

namespace koi::images {

namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr int pipe_bytes = 1024 * 1024;

// A stage that ends early must be an error of write(2) here, not the end of koi.
class BlockedSigpipe {
 public:
  BlockedSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~BlockedSigpipe() {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    const timespec now{};
    while (::sigtimedwait(&pipe_, nullptr, &now) > 0) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockedSigpipe(const BlockedSigpipe&) = delete;
  BlockedSigpipe& operator=(const BlockedSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

// The descriptors that a stage gets. Those that are not set stay closed.
struct StageDescriptors {
  linux::UniqueFd input;
  linux::UniqueFd output;
  linux::UniqueFd report;
  linux::UniqueFd directory;
};

// A running stage: a process or a thread. Waits for its end when destroyed.
class Stage {
 public:
  Stage() = default;
  ~Stage() { wait(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  base::Result<> spawn(const std::vector<std::string>& command,
                       const std::vector<std::string>& arguments, StageDescriptors descriptors);
  void run(std::vector<std::string> arguments, UntarOptions options, StageDescriptors descriptors);

  void wait() {
    if (thread_.joinable()) thread_.join();
    if (process_ <= 0) return;
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
  }

 private:
  pid_t process_ = -1;
  std::thread thread_;
};

struct SpawnActions {
  SpawnActions() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// dup2 onto itself would keep close-on-exec, and onto another's number would lose that one: all are
// moved out of the way first.
base::Result<> move_up(linux::UniqueFd& fd) {
  if (!fd || fd.get() > directory_descriptor) return {};
  linux::UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, directory_descriptor + 1));
  if (!moved) return linux::fail_errno("move descriptor");
  fd = std::move(moved);
  return {};
}

base::Result<> Stage::spawn(const std::vector<std::string>& command,
                            const std::vector<std::string>& arguments,
                            StageDescriptors descriptors) {
  SpawnActions spawn;
  const std::pair<linux::UniqueFd*, int> wanted[] = {
      {&descriptors.input, STDIN_FILENO},
      {&descriptors.output, STDOUT_FILENO},
      {&descriptors.report, report_descriptor},
      {&descriptors.directory, directory_descriptor}};
  for (const auto& [fd, number] : wanted) {
    if (auto moved = move_up(*fd); !moved) return moved;
    if (*fd) ::posix_spawn_file_actions_adddup2(&spawn.actions, fd->get(), number);
  }
  sigset_t none{};
  sigset_t defaults{};
  ::sigemptyset(&none);
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigmask(&spawn.attributes, &none);
  ::posix_spawnattr_setsigdefault(&spawn.attributes, &defaults);
  ::posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  char* environment[] = {nullptr};
  const int outcome = ::posix_spawn(&process_, command.front().c_str(), &spawn.actions,
                                    &spawn.attributes, argv.data(), environment);
  if (outcome == 0) return {};
  process_ = -1;
  return base::fail(base::errno_error(outcome, "start '" + command.front() + "'"));
}

void Stage::run(std::vector<std::string> arguments, UntarOptions options,
                StageDescriptors descriptors) {
  thread_ = std::thread(
      [arguments = std::move(arguments), options, own = std::move(descriptors)]() mutable {
        if (arguments.front() == "decompress") {
          run_decompress_stage(own.input.get(), own.output.get(), own.report.get());
        } else {
          run_tree_stage(own.input.get(), own.directory.get(), own.report.get(), options);
        }
        // All at once and before the thread counts as ended: their ends are what the others wait
        // for.
        own = {};
      });
}

base::Result<linux::Pipe> make_wide_pipe() {
  auto pipe = linux::make_pipe();
  // An unprivileged user's pipes may be bounded lower; they work at any size.
  if (pipe) (void)::fcntl(pipe->write_end.get(), F_SETPIPE_SZ, pipe_bytes);
  return pipe;
}

base::Result<linux::UniqueFd> duplicate(int fd) {
  linux::UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return linux::fail_errno("duplicate descriptor");
  return copy;
}

// One unpacking: source -> [decompressor] -> this -> [tree writer].
class Pipeline {
 public:
  Pipeline(const std::vector<std::string>& command, const UnpackLimits& limits)
      : command_(command), limits_(limits) {}

  base::Result<Unpacked> run(int source, const base::Path* target, TreeKind kind) {
    const BlockedSigpipe guard;
    if (auto opened = open_source(source); !opened) {
      return base::fail(std::move(opened).error());
    }
    if (target != nullptr) {
      if (auto opened = open_target(*target, kind); !opened) {
        return base::fail(std::move(opened).error());
      }
    }
    Unpacked result;
    auto pumped = pump(result);
    plain_.reset();
    to_tree_.reset();
    return conclude(std::move(pumped), std::move(result));
  }

 private:
  base::Result<> open_source(int source) {
    char head[6];
    const ssize_t count = ::pread(source, head, sizeof(head), 0);
    struct stat status{};
    if (count < 0 || ::fstat(source, &status) != 0 || ::lseek(source, 0, SEEK_SET) != 0) {
      return linux::fail_errno("read source");
    }
    auto compression = detect_compression({head, static_cast<std::size_t>(count)});
    if (!compression) return base::fail(std::move(compression).error());
    auto copy = duplicate(source);
    if (!copy) return base::fail(std::move(copy).error());
    const auto size = static_cast<std::uint64_t>(status.st_size);
    stream_bytes_max_ = std::min(
        limits_.bytes_max,
        std::max(limits_.always_allowed_bytes,
                 std::min(size, limits_.bytes_max / limits_.ratio_max) * limits_.ratio_max));
    if (*compression == Compression::none) {
      plain_ = std::move(*copy);
      return {};
    }
    auto data = make_wide_pipe();
    if (!data) return base::fail(std::move(data).error());
    auto report = linux::make_pipe();
    if (!report) return base::fail(std::move(report).error());
    plain_ = std::move(data->read_end);
    decompressor_report_ = std::move(report->read_end);
    return start(decompressor_, {"decompress"}, {},
                 {.input = std::move(*copy),
                  .output = std::move(data->write_end),
                  .report = std::move(report->write_end),
                  .directory = {}});
  }

  base::Result<> open_target(const base::Path& target, TreeKind kind) {
    auto directory = linux::open_file(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return base::fail(std::move(directory).error());
    auto own = duplicate(directory->get());
    if (!own) return base::fail(std::move(own).error());
    target_ = std::move(*own);
    auto data = make_wide_pipe();
    if (!data) return base::fail(std::move(data).error());
    auto report = linux::make_pipe();
    if (!report) return base::fail(std::move(report).error());
    to_tree_ = std::move(data->write_end);
    tree_report_ = std::move(report->read_end);
    const UntarOptions options{.kind = kind,
                               .keep_ownership = ::geteuid() == 0,
                               .entries_max = limits_.entries_max,
                               .bytes_max = limits_.bytes_max};
    return start(tree_writer_, tree_arguments(options), options,
                 {.input = std::move(data->read_end),
                  .output = {},
                  .report = std::move(report->write_end),
                  .directory = std::move(*directory)});
  }

  base::Result<> start(Stage& stage, std::vector<std::string> arguments,
                       const UntarOptions& options, StageDescriptors descriptors) {
    if (!command_.empty()) return stage.spawn(command_, arguments, std::move(descriptors));
    stage.run(std::move(arguments), options, std::move(descriptors));
    return {};
  }

  base::Result<> pump(Unpacked& result) {
    crypto::Sha256 hash;
    std::vector<char> buffer(buffer_bytes);
    while (true) {
      const ssize_t count = ::read(plain_.get(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return linux::fail_errno("read plain stream");
      if (count == 0) break;
      const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
      result.stream_bytes += piece.size();
      if (result.stream_bytes > stream_bytes_max_) {
        return base::fail(base::Code::too_large, "stream unpacks to more than " +
                                                     std::to_string(stream_bytes_max_) +
                                                     " bytes, the limit for its compressed size");
      }
      hash.update(piece);
      if (!to_tree_) continue;
      if (auto written = linux::write_all(to_tree_.get(), piece); !written) {
        tree_gone_ = true;
        return base::fail(std::move(written).error());
      }
    }
    result.diff_id = "sha256:" + hash.finish_hex();
    return {};
  }

  // The first cause wins: a decompressor's error makes the tar short, a tree writer's makes the
  // pump fail.
  base::Result<Unpacked> conclude(base::Result<> pumped, Unpacked result) {
    if (decompressor_report_ && !tree_gone_ && (pumped || !is_limit(pumped))) {
      if (auto report = read_report(decompressor_report_.get()); !report) {
        return base::fail(std::move(report).error());
      }
    }
    if (!pumped && !tree_gone_) return base::fail(std::move(pumped).error());
    if (tree_report_) {
      auto report = read_report(tree_report_.get());
      if (!report) return base::fail(std::move(report).error());
      result.tree = std::move(*report);
      if (auto marked = mark_opaque(target_.get(), result.tree.opaque_directories); !marked) {
        return base::fail(std::move(marked).error());
      }
    }
    if (!pumped) return base::fail(std::move(pumped).error());
    return result;
  }

  static bool is_limit(const base::Result<>& outcome) {
    return outcome.error().code == base::Code::too_large;
  }

  const std::vector<std::string>& command_;
  const UnpackLimits& limits_;
  std::uint64_t stream_bytes_max_ = 0;
  linux::UniqueFd target_;
  bool tree_gone_ = false;
  // The stages end once their descriptors are closed, so they are destroyed (waited for) last.
  Stage decompressor_;
  Stage tree_writer_;
  linux::UniqueFd plain_;
  linux::UniqueFd to_tree_;
  linux::UniqueFd decompressor_report_;
  linux::UniqueFd tree_report_;
};

}  // namespace

Unpacker::Unpacker(std::vector<std::string> command, UnpackLimits limits)
    : command_(std::move(command)), limits_(limits) {}

base::Result<Unpacked> Unpacker::unpack(int source, const base::Path& target, TreeKind kind) const {
  return Pipeline(command_, limits_).run(source, &target, kind);
}

base::Result<Unpacked> Unpacker::measure(int source) const {
  return Pipeline(command_, limits_).run(source, nullptr, TreeKind::layer);
}

}  // namespace koi::images
