#pragma once

#include <chrono>

#include "base/time.h"

namespace koi::agent {

inline constexpr base::Duration crash_backoff_min = std::chrono::seconds{10};
inline constexpr base::Duration crash_backoff_max = std::chrono::seconds{300};
// A container that ran this long is trusted again.
inline constexpr base::Duration crash_backoff_reset = std::chrono::minutes{10};

// How long to wait before the next try: nothing the first time, then 10 s doubling to 300 s,
// forgotten after ten good minutes. A value; the caller brings the time.
class CrashBackoff {
 public:
  // The earliest moment for the next try of what ended at `ended`.
  base::MonoTime not_before(base::MonoTime ended) const { return ended + delay_; }

  // A try begins at `now`, after one that ended at `ended`: the next failure waits longer.
  void advance(base::MonoTime ended, base::MonoTime now) {
    const bool forgotten = delay_ == base::Duration{0} || ended - updated_ > crash_backoff_reset;
    delay_ = forgotten ? crash_backoff_min : std::min(delay_ * 2, crash_backoff_max);
    updated_ = now;
  }

  // As if `tries` had failed in a row: what a restarted agent assumes.
  void assume_tries(std::uint32_t tries, base::MonoTime now) {
    for (std::uint32_t i = 0; i < std::min(tries, 8u); ++i) advance(now, now);
  }

  base::Duration delay() const { return delay_; }

 private:
  base::Duration delay_{0};
  base::MonoTime updated_;
};

}  // namespace koi::agent
