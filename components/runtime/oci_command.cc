#include "runtime/oci_command.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <string_view>

#include "base/time.h"
#include "linux/process.h"
#include "runtime/oci_container.h"
#include "runtime/records.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;

namespace {

struct Arguments {
  OciOptions options;
  linux::Path log;
  bool log_json = false;
  bool force = false;
  bool all = false;
  bool detach = false;
  bool tty = false;
  std::string process_file;
  std::string resources_file;
  std::string command;
  std::vector<std::string> rest;  // after the command's own options
};

struct Flag {
  std::string_view name;
  void (*take)(Arguments&, const std::string& value);  // null: accepted, without effect
  bool has_value = true;
};

constexpr std::array flags = {
    Flag{"--root", [](Arguments& a, const std::string& v) { a.options.root = v; }},
    Flag{"--log", [](Arguments& a, const std::string& v) { a.log = v; }},
    Flag{"--log-format", [](Arguments& a, const std::string& v) { a.log_json = v == "json"; }},
    Flag{"--log-level", nullptr},
    Flag{"--debug", nullptr, false},
    Flag{"--cgroup-manager", nullptr},
    Flag{"--bundle", [](Arguments& a, const std::string& v) { a.options.bundle = v; }},
    Flag{"-b", [](Arguments& a, const std::string& v) { a.options.bundle = v; }},
    Flag{"--pid-file", [](Arguments& a, const std::string& v) { a.options.pid_file = v; }},
    Flag{"--console-socket",
         [](Arguments& a, const std::string& v) { a.options.console_socket = v; }},
    Flag{"--process", [](Arguments& a, const std::string& v) { a.process_file = v; }},
    Flag{"-p", [](Arguments& a, const std::string& v) { a.process_file = v; }},
    Flag{"--resources", [](Arguments& a, const std::string& v) { a.resources_file = v; }},
    Flag{"-r", [](Arguments& a, const std::string& v) { a.resources_file = v; }},
    Flag{"--tty", [](Arguments& a, const std::string&) { a.tty = true; }, false},
    Flag{"-t", [](Arguments& a, const std::string&) { a.tty = true; }, false},
    Flag{"--no-pivot", nullptr, false},
    Flag{"--force", [](Arguments& a, const std::string&) { a.force = true; }, false},
    Flag{"-f", [](Arguments& a, const std::string&) { a.force = true; }, false},
    Flag{"--all", [](Arguments& a, const std::string&) { a.all = true; }, false},
    Flag{"-a", [](Arguments& a, const std::string&) { a.all = true; }, false},
    Flag{"--detach", [](Arguments& a, const std::string&) { a.detach = true; }, false},
    Flag{"-d", [](Arguments& a, const std::string&) { a.detach = true; }, false},
};

Result<> take_flag(Arguments& arguments, const std::vector<std::string>& words, std::size_t& i) {
  const std::string& word = words[i];
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const auto flag =
      std::find_if(flags.begin(), flags.end(), [&](const Flag& each) { return each.name == name; });
  if (flag == flags.end()) return fail(Code::invalid, "unknown option '" + name + "'");
  std::string value;
  if (flag->has_value) {
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return fail(Code::invalid, "option '" + name + "' needs a value");
    }
  }
  if (flag->take != nullptr) flag->take(arguments, value);
  return {};
}

// Options come before the command, and between it and its arguments.
Result<> parse(const std::vector<std::string>& words, Arguments& arguments) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with('-') || words[i] == "-") {
      if (arguments.command.empty()) {
        arguments.command = words[i];
        continue;
      }
      arguments.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      break;
    }
    if (auto taken = take_flag(arguments, words, i); !taken) return taken;
  }
  // Some callers put an option behind the id: "delete ID --force".
  if (arguments.command != "exec" && arguments.command != "update") {
    for (std::size_t i = 1; i < arguments.rest.size(); ++i) {
      if (arguments.rest[i] == "--force") arguments.force = true;
    }
    std::erase(arguments.rest, "--force");
  }
  if (!arguments.rest.empty()) arguments.options.id = arguments.rest.front();
  return {};
}

Result<int> run_exec(const Arguments& arguments) {
  Result<ProcessSpec> process = fail(Code::invalid, "exec needs a command or --process");
  if (!arguments.process_file.empty()) {
    auto value = read_json(arguments.process_file);
    if (!value) return fail(std::move(value).error());
    process = parse_process(*value);
  } else if (arguments.rest.size() > 1) {
    process = container_process(arguments.options);
    if (process) {
      process->terminal = false;
      process->args.assign(arguments.rest.begin() + 1, arguments.rest.end());
    }
  }
  if (!process) return fail(std::move(process).error());
  process->terminal = process->terminal || arguments.tty;
  return exec_in_container(arguments.options, *process, arguments.detach);
}

Result<> run_update(const Arguments& arguments) {
  if (arguments.resources_file.empty()) return fail(Code::invalid, "update needs --resources");
  Result<json::Value> value = fail(Code::invalid, "nothing read");
  if (arguments.resources_file == "-") {
    auto text = linux::read_all(STDIN_FILENO, 1024 * 1024);
    if (!text) return fail(std::move(text).error());
    value = json::parse(*text);
  } else {
    value = read_json(arguments.resources_file);
  }
  if (!value) return fail(std::move(value).error());
  return update_container(arguments.options, *value);
}

Result<> run_kill(const Arguments& arguments) {
  const std::string name = arguments.rest.size() > 1 ? arguments.rest[1] : "SIGTERM";
  const auto number = linux::signal_number(name);
  if (!number) return fail(Code::invalid, "'" + name + "' is no signal");
  return kill_container(arguments.options, *number, arguments.all);
}

Result<> print_state(const Arguments& arguments) {
  const auto state = read_state(arguments.options);
  if (!state) return fail(state.error());
  std::printf("%s\n", json::serialize(state_document(*state)).c_str());
  return {};
}

Result<int> dispatch(const Arguments& arguments) {
  const OciOptions& options = arguments.options;
  const std::string& command = arguments.command;
  if (options.id.empty()) return fail(Code::invalid, "'" + command + "' needs a container id");
  Result<> done = fail(Code::invalid, "unknown command '" + command + "'");
  if (command == "exec") return run_exec(arguments);
  if (command == "create") done = create_container(options);
  if (command == "start") done = start_container(options);
  if (command == "state") done = print_state(arguments);
  if (command == "kill") done = run_kill(arguments);
  if (command == "delete") done = delete_container(options, arguments.force);
  if (command == "pause") done = pause_container(options, true);
  if (command == "resume") done = pause_container(options, false);
  if (command == "update") done = run_update(arguments);
  if (!done) return fail(std::move(done).error());
  return 0;
}

// Callers read the last line of the log file to learn what went wrong.
void write_log(const Arguments& arguments, const std::string& message) {
  if (arguments.log.empty()) return;
  auto file = linux::open_file(arguments.log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (!file) return;
  const std::string time = base::format_nano_time(linux::real_time());
  std::string line = "time=\"" + time + "\" level=error msg=\"" + message + "\"\n";
  if (arguments.log_json) {
    json::Object object;
    object["level"] = "error";
    object["msg"] = message;
    object["time"] = time;
    line = json::serialize(object) + "\n";
  }
  (void)linux::write_all(file->get(), line);
}

int print_usage(std::FILE* out) {
  std::fputs(
      "usage: koi runtime [--root DIR] [--log FILE] [--log-format text|json] COMMAND\n\n"
      "  create --bundle DIR [--pid-file FILE] [--console-socket PATH] ID\n"
      "  start ID\n"
      "  state ID\n"
      "  kill [--all] ID [SIGNAL]\n"
      "  delete [--force] ID\n"
      "  exec [--process FILE] [--pid-file FILE] [--detach] ID [COMMAND [ARG...]]\n"
      "  pause ID\n"
      "  resume ID\n"
      "  update --resources FILE ID\n",
      out);
  return out == stdout ? 0 : 2;
}

}  // namespace

int run_oci_command(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return print_usage(stderr);
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return print_usage(stdout);
  if (words[0] == "--version" || words[0] == "-v") {
    std::puts("koi runtime\nspec: 1.0.2");
    return 0;
  }
  Arguments arguments;
  auto parsed = parse(words, arguments);
  const Result<int> code = parsed ? dispatch(arguments) : fail(std::move(parsed).error());
  if (code) return *code;
  write_log(arguments, code.error().message);
  std::fprintf(stderr, "koi runtime: %s\n", code.error().message.c_str());
  return 1;
}

}  // namespace koi::runtime
