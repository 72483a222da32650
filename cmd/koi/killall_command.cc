#include <cstdio>
#include <string>
#include <string_view>

#include "commands.h"
#include "node/pod_cleanup.h"

namespace koi::cmd {

int run_killall_command(int argc, char** argv) {
  std::string data_dir = "/var/lib/koi";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("--data-dir=")) {
      data_dir = word.substr(word.find('=') + 1);
    } else if (word == "--data-dir" && i + 1 < argc) {
      data_dir = argv[++i];
    } else {
      std::fputs("usage: koi killall [--data-dir DIR]\n", word == "--help" ? stdout : stderr);
      return word == "--help" ? 0 : 2;
    }
  }
  const auto ended = node::end_all_pods(data_dir);
  if (!ended) {
    std::fprintf(stderr, "koi killall: %s\n", ended.error().message.c_str());
    return 1;
  }
  std::printf("ended %zu pods\n", *ended);
  return 0;
}

}  // namespace koi::cmd
