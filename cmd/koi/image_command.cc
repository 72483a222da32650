#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "node/node_commands.h"

namespace koi::cmd {

namespace {

constexpr const char* usage =
    "usage: koi image import [--data-dir DIR] [--name REFERENCE] FILE...\n"
    "       koi image ls [--data-dir DIR]\n\n"
    "import takes OCI layouts, OCI archives and docker archives, plain, gzip or zstd.\n";

struct Arguments {
  node::NodeAddress node{.data_dir = "/var/lib/koi"};
  std::string name;
  std::vector<std::string> files;
};

int complain(const std::string& message) {
  std::fprintf(stderr, "koi image: %s\n%s", message.c_str(), usage);
  return 2;
}

// Takes "--option value" and "--option=value"; everything else is a file.
bool parse(int argc, char** argv, Arguments& arguments, std::string& problem) {
  for (int i = 2; i < argc; ++i) {
    std::string_view word = argv[i];
    if (!word.starts_with("--")) {
      arguments.files.emplace_back(word);
      continue;
    }
    const auto equals = word.find('=');
    const std::string_view option = word.substr(0, equals);
    if (option != "--data-dir" && option != "--name") {
      problem = "unknown option '" + std::string(option) + "'";
      return false;
    }
    if (equals == word.npos && i + 1 == argc) {
      problem = std::string(option) + " needs a value";
      return false;
    }
    const std::string value =
        equals != word.npos ? std::string(word.substr(equals + 1)) : argv[++i];
    if (option == "--data-dir") {
      arguments.node.data_dir = value;
    } else {
      arguments.name = value;
    }
  }
  return true;
}

void print(const std::vector<node::ImageLine>& lines) {
  for (const node::ImageLine& line : lines) {
    const std::string id = line.id.substr(0, 19);
    const double mebibytes = static_cast<double>(line.size_bytes) / (1024.0 * 1024.0);
    for (const std::string& name : line.names) {
      std::printf("%-50s  %-19s  %8.1f MiB\n", name.c_str(), id.c_str(), mebibytes);
    }
    if (line.names.empty())
      std::printf("%-50s  %-19s  %8.1f MiB\n", "<none>", id.c_str(), mebibytes);
  }
}

int import_files(const Arguments& arguments) {
  if (arguments.files.empty()) return complain("import needs a file");
  for (const std::string& file : arguments.files) {
    const auto imported = node::import_image(arguments.node, file, arguments.name);
    if (!imported) {
      std::fprintf(stderr, "koi image: import '%s': %s\n", file.c_str(),
                   imported.error().message.c_str());
      return 1;
    }
    print(*imported);
  }
  return 0;
}

}  // namespace

int run_image_command(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "--help" || verb == "help") {
    std::fputs(usage, stdout);
    return 0;
  }
  Arguments arguments;
  std::string problem;
  if (!parse(argc, argv, arguments, problem)) return complain(problem);
  if (verb == "import") return import_files(arguments);
  if (verb != "ls" && verb != "list") return complain("unknown verb '" + std::string(verb) + "'");
  const auto images = node::list_images(arguments.node);
  if (!images) {
    std::fprintf(stderr, "koi image: %s\n", images.error().message.c_str());
    return 1;
  }
  print(*images);
  return 0;
}

}  // namespace koi::cmd
