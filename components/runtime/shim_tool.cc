#include <string_view>

#include "runtime/shim.h"

// The part of the koi binary that the runtime's tests start again and again.
int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "shim") {
    return koi::runtime::run_shim_command(argc - 1, argv + 1);
  }
  return 2;
}
