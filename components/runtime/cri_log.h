#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "linux/fd.h"

// A container's log file as Kubernetes reads it: "<time> stdout F <line>", P for a part of a line.
namespace koi::runtime {

enum class LogStream { standard_output, standard_error };

struct LogOptions {
  std::filesystem::path path;
  std::uint64_t bytes_max = 10 * 1024 * 1024;  // then the file is rotated
  std::uint32_t files_max = 5;                 // the current one included
};

// Writes one container's log. A full disk loses lines and never blocks the container. Rotation
// renames the file to "<path>.<time>" and starts a new one, between lines.
class CriLog {
 public:
  // Makes the directories and opens for appending.
  static base::Result<CriLog> open(const LogOptions& options);

  // Takes what the container wrote, in any portions.
  void write(LogStream stream, std::string_view bytes,
             std::chrono::sys_time<std::chrono::nanoseconds> now);

  // Writes out what is left of unfinished lines.
  void finish(std::chrono::sys_time<std::chrono::nanoseconds> now);

 private:
  explicit CriLog(LogOptions options) : options_(std::move(options)) {}

  base::Result<> reopen();
  void rotate(std::chrono::sys_time<std::chrono::nanoseconds> now);
  void flush(const std::string& entries, std::chrono::sys_time<std::chrono::nanoseconds> now);

  LogOptions options_;
  linux::UniqueFd file_;
  std::uint64_t size_bytes_ = 0;
  std::string unfinished_[2];  // by stream
};

}  // namespace koi::runtime
