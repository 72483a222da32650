#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace koi::base {

void check_failed(const char* condition, const char* message, const char* file, int line) {
  std::fprintf(stderr, "koi: %s:%d: check failed: %s (%s)\n", file, line, message, condition);
  std::abort();
}

}  // namespace koi::base
