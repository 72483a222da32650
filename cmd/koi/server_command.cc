#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/os.h"
#include "commands.h"
#include "node/server.h"
#include "node/server_options.h"

namespace koi::cmd {

namespace {

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != text.npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

int print_help() {
  std::printf("usage: koi server [OPTIONS]\n\n%s\n",
              node::describe_options(node::server_option_table()).c_str());
  std::puts("Each option is also a variable (--node-name: KOI_NODE_NAME) and a key of the file.");
  return 0;
}

}  // namespace

int run_server_command(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") return print_help();
  }
  const auto files = base::make_os_files();
  const auto options = node::read_server_options(*files, read_environment(), arguments);
  if (!options) {
    std::fprintf(stderr, "koi server: %s\n", options.error().message.c_str());
    return 2;
  }
  return node::run_server(*options);
}

}  // namespace koi::cmd
