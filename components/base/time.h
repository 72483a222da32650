#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"

namespace koi::base {

using Duration = std::chrono::microseconds;
// Wall time: what certificates and Kubernetes timestamps hold. May jump.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;
// Time since an arbitrary start. Never goes back.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// The only source of time. Real in the server, simulated in tests.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual WallTime wall_now() const = 0;
  virtual MonoTime now() const = 0;

  // Returns once now() >= deadline. Throws operation_aborted when the calling task is cancelled.
  virtual Task<> sleep_until(MonoTime deadline) = 0;

  Task<> sleep_for(Duration duration) { return sleep_until(now() + duration); }
};

// RFC 3339 in UTC with whole seconds, as metav1.Time: "2026-01-02T03:04:05Z".
std::string format_time(WallTime time);
// RFC 3339 in UTC with six digits, as metav1.MicroTime: "2026-01-02T03:04:05.000006Z".
std::string format_micro_time(WallTime time);
// RFC 3339 in UTC with nine digits, as container log lines carry it.
std::string format_nano_time(std::chrono::sys_time<std::chrono::nanoseconds> time);
// Reads any RFC 3339 time, with or without fraction and offset.
Result<WallTime> parse_time(std::string_view text);

}  // namespace koi::base
