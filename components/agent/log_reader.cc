#include "agent/log_reader.h"

#include <sys/inotify.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <filesystem>
#include <optional>

namespace koi::agent {

namespace {

namespace asio = boost::asio;
using base::Result;

// Reports writes below a directory. wake() ends a wait from the outside.
class DirectoryWatch {
 public:
  static Result<std::unique_ptr<DirectoryWatch>> open(const base::Path& directory,
                                                      const base::Executor& executor) {
    std::error_code ignored;
    std::filesystem::create_directories(directory, ignored);
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return base::fail(base::errno_error(errno, "watch the log"));
    auto watch = std::make_unique<DirectoryWatch>(executor, fd);
    constexpr std::uint32_t changes = IN_MODIFY | IN_CREATE | IN_MOVED_TO;
    if (::inotify_add_watch(fd, directory.c_str(), changes) < 0) {
      return base::fail(base::errno_error(errno, "watch the log"));
    }
    return watch;
  }

  DirectoryWatch(const base::Executor& executor, int fd) : descriptor_(executor, fd) {}

  void wake() {
    woken_ = true;
    descriptor_.cancel();
  }

  // Returns once something was written since the last call, or wake() was called.
  base::Task<> wait() {
    char events[4096];
    boost::system::error_code error;
    if (!woken_) {
      co_await descriptor_.async_read_some(asio::buffer(events),
                                           asio::redirect_error(asio::use_awaitable, error));
    }
    woken_ = false;
  }

 private:
  asio::posix::stream_descriptor descriptor_;
  bool woken_ = false;
};

class LogStream final : public http::BodyStream {
 public:
  LogStream(Agent& agent, base::BlockingPool& pool, LogRequest request, const ContainerLog& log,
            std::unique_ptr<DirectoryWatch> watch)
      : agent_(agent),
        pool_(pool),
        request_(std::move(request)),
        path_(log.path),
        cursor_(log.path, request_.options),
        watch_(std::move(watch)) {
    if (!watch_) return;
    auto wake = [this] { watch_->wake(); };
    subscription_ = agent_.on_containers_changed(std::move(wake));
  }

  base::Task<Result<std::optional<http::Segments>>> next() override {
    for (;;) {
      // Asked before reading: what is written before the end is read after it.
      const bool more = watch_ && is_running();
      auto read = [this] { return cursor_.read(); };
      auto text = co_await pool_.run(read);
      if (!text) co_return base::fail(std::move(text).error());
      std::optional<http::Segments> segments;
      if (!text->empty()) {
        segments.emplace();
        segments->push_back(std::make_shared<const std::string>(std::move(*text)));
        co_return segments;
      }
      if (!more || cursor_.is_spent()) co_return segments;
      co_await watch_->wait();
    }
  }

 private:
  bool is_running() const {
    const auto log = agent_.find_log(request_.name_space, request_.pod, request_.container, false);
    return log && log->running && log->path == path_;
  }

  Agent& agent_;
  base::BlockingPool& pool_;
  const LogRequest request_;
  const base::Path path_;
  LogCursor cursor_;
  std::unique_ptr<DirectoryWatch> watch_;
  std::shared_ptr<void> subscription_;
};

}  // namespace

Result<std::unique_ptr<http::BodyStream>> read_log(Agent& agent, base::BlockingPool& pool,
                                                   const base::Executor& executor,
                                                   const LogRequest& request) {
  const auto log =
      agent.find_log(request.name_space, request.pod, request.container, request.previous);
  if (!log) return base::fail(log.error());
  std::unique_ptr<DirectoryWatch> watch;
  if (request.options.follow && log->running) {
    auto opened = DirectoryWatch::open(log->path.parent_path(), executor);
    if (!opened) return base::fail(std::move(opened).error());
    watch = std::move(*opened);
  }
  return std::make_unique<LogStream>(agent, pool, request, *log, std::move(watch));
}

}  // namespace koi::agent
