#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"

namespace koi::agent {

struct LogOptions {
  bool follow = false;
  bool timestamps = false;
  std::optional<std::uint64_t> tail_lines;
  std::optional<base::WallTime> since;
  std::optional<std::uint64_t> bytes_max;  // of the answer
  std::string stream;                      // "Stdout" or "Stderr"; else both
};

// Reads one container's log from its rotated files into its present one and stays at the end, to
// read on when more was written or the file was rotated again. Blocking; one thread at a time.
class LogCursor {
 public:
  LogCursor(base::Path path, LogOptions options);
  ~LogCursor();
  LogCursor(const LogCursor&) = delete;
  LogCursor& operator=(const LogCursor&) = delete;

  // The next portion as the client sees it; empty at what is now the end.
  base::Result<std::string> read();

  // True once bytes_max were given out: there will be no more.
  bool is_spent() const { return left_ == 0; }

 private:
  struct File {
    base::Path path;
    int fd = -1;
    std::uint64_t offset = 0;
  };

  std::vector<base::Path> list_files() const;
  base::Result<bool> open(const base::Path& path, std::uint64_t offset);
  base::Result<> begin();
  base::Result<bool> advance();
  void close();
  void take(std::string_view raw, std::string& output);
  void take_line(std::string_view line, std::string& output);

  const base::Path path_;
  const LogOptions options_;
  const std::string since_;
  std::uint64_t left_;
  bool begun_ = false;
  bool line_open_ = false;  // the last line given out goes on
  std::string unfinished_;  // bytes behind the last newline
  File file_;
};

}  // namespace koi::agent
