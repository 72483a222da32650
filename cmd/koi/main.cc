#include <sys/resource.h>

#include <array>
#include <cstdio>
#include <string_view>

#include "commands.h"

extern "C" int __nss_configure_lookup(const char* database, const char* sources);

namespace {

struct Command {
  std::string_view name;
  int (*run)(int argc, char** argv);
  std::string_view help;  // empty: not for people
};

constexpr std::array commands{
    Command{"server", koi::cmd::run_server_command, "run the control plane, and a node with it"},
    Command{"image", koi::cmd::run_image_command, "import and list this node's images"},
    Command{"killall", koi::cmd::run_killall_command,
            "end every pod of this node, koi being stopped"},
    Command{"version", koi::cmd::run_version_command, "print the version"},
    Command{"runtime", koi::cmd::run_runtime_command, "run containers from OCI bundles"},
    Command{"shim", koi::cmd::run_shim, ""},
    Command{"unpack-layer", koi::cmd::run_unpack, ""},
};

// The lookup modules of the host cannot be loaded into a static executable: files and DNS only.
void pin_name_lookups() {
  __nss_configure_lookup("hosts", "files dns");
  __nss_configure_lookup("passwd", "files");
  __nss_configure_lookup("group", "files");
}

int print_help(std::FILE* out) {
  std::fputs("koi: a Kubernetes cluster in one executable\n\nusage: koi COMMAND [OPTIONS]\n\n",
             out);
  for (const Command& command : commands) {
    if (command.help.empty()) continue;
    std::fprintf(out, "  %-10.*s %.*s\n", static_cast<int>(command.name.size()),
                 command.name.data(), static_cast<int>(command.help.size()), command.help.data());
  }
  std::fputs("\n'koi COMMAND --help' lists a command's options.\n", out);
  return out == stdout ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  pin_name_lookups();
  if (argc < 2) return print_help(stderr);
  const std::string_view name = argv[1];
  if (name == "help" || name == "--help" || name == "-h") return print_help(stdout);
  for (const Command& command : commands) {
    if (command.name == name) return command.run(argc - 1, argv + 1);
  }
  std::fprintf(stderr, "koi: unknown command '%s'\n\n", argv[1]);
  return print_help(stderr);
}
