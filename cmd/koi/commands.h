#pragma once

// One entry per subcommand: argv[0] is the subcommand's name. Each returns the exit code.
namespace koi::cmd {

int run_server_command(int argc, char** argv);
int run_image_command(int argc, char** argv);
int run_killall_command(int argc, char** argv);
int run_version_command(int argc, char** argv);
int run_runtime_command(int argc, char** argv);
int run_shim(int argc, char** argv);
int run_unpack(int argc, char** argv);

}  // namespace koi::cmd
