#include "commands.h"
#include "runtime/oci_command.h"

namespace koi::cmd {

int run_runtime_command(int argc, char** argv) { return runtime::run_oci_command(argc, argv); }

}  // namespace koi::cmd
