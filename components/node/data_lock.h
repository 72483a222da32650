#pragma once

#include "base/result.h"
#include "node/server_paths.h"

namespace koi::node {

// Held by the one process that uses a data directory, for as long as it lives; the kernel gives it
// back when the process dies.
class DataLock {
 public:
  // Makes the directory. Fails with unavailable and the holder's process id when another koi has
  // it.
  static base::Result<DataLock> take(const ServerPaths& paths);

  ~DataLock();
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&&) = delete;

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace koi::node
