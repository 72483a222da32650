#pragma once

namespace koi::base {

// Prints one line to stderr and aborts. Only for what nothing but a bug can cause, never for input.
[[noreturn]] void check_failed(const char* condition, const char* message, const char* file,
                               int line);

}  // namespace koi::base

// Stays on in release builds.
#define CHECK_THAT(condition, message)                                    \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::koi::base::check_failed(#condition, message, __FILE__, __LINE__); \
  } while (false)
