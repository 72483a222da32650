#include <cstdio>

#include "base/version.h"
#include "commands.h"

namespace koi::cmd {

int run_version_command(int, char**) {
  std::printf("koi %s (Kubernetes %s)\n", base::koi_version.data(),
              base::kubernetes_version.data());
  return 0;
}

}  // namespace koi::cmd
