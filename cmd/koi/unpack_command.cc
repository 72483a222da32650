#include <string>
#include <vector>

#include "commands.h"
#include "images/unpack_process.h"

namespace koi::cmd {

int run_unpack(int argc, char** argv) {
  return images::run_unpack_process(std::vector<std::string>(argv + 1, argv + argc));
}

}  // namespace koi::cmd
