#include <string_view>

#include "runtime/oci_command.h"
#include "runtime/shim.h"

// The parts of the koi binary that the runtime's tests start again and again.
int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "shim") {
    return koi::runtime::run_shim_command(argc - 1, argv + 1);
  }
  if (argc > 1 && std::string_view(argv[1]) == "runtime") {
    return koi::runtime::run_oci_command(argc - 1, argv + 1);
  }
  return 2;
}
