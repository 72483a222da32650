#include "node/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/os.h"

namespace koi::node {

using base::Code;
using base::Result;

Result<DataLock> DataLock::take(const ServerPaths& paths) {
  const base::Path path = paths.lock();
  if (auto made = base::make_os_files()->make_directories(path.parent_path(), 0700); !made) {
    return base::fail(std::move(made).error());
  }
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return base::fail(base::errno_error(errno, "open '" + path.string() + "'"));
  DataLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 16> holder{};
    const ssize_t size = ::pread(fd, holder.data(), holder.size() - 1, 0);
    const std::string process = size > 0 ? " (process " + std::string(holder.data()) + ")" : "";
    return base::fail(Code::unavailable, "another koi" + process + " is using '" +
                                             path.parent_path().string() + "'; stop it first");
  }
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, process.data(), process.size(), 0) < 0) {
    return base::fail(base::errno_error(errno, "write '" + path.string() + "'"));
  }
  return lock;
}

DataLock::DataLock(DataLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DataLock::~DataLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace koi::node
