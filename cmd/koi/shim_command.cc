#include "commands.h"
#include "runtime/shim.h"

namespace koi::cmd {

int run_shim(int argc, char** argv) { return runtime::run_shim_command(argc, argv); }

}  // namespace koi::cmd
