#include "agent/signals.h"

#include <array>
#include <charconv>
#include <csignal>
#include <utility>

namespace koi::agent {

std::optional<int> signal_number(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, int>, 22> names = {
      {{"HUP", SIGHUP},   {"INT", SIGINT},      {"QUIT", SIGQUIT},   {"ILL", SIGILL},
       {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},    {"BUS", SIGBUS},     {"FPE", SIGFPE},
       {"KILL", SIGKILL}, {"USR1", SIGUSR1},    {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},
       {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},    {"TERM", SIGTERM},   {"CONT", SIGCONT},
       {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},    {"WINCH", SIGWINCH}, {"IO", SIGIO},
       {"PWR", SIGPWR},   {"VTALRM", SIGVTALRM}}};
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc{} && end == name.data() + name.size()) {
    return number > 0 && number <= 64 ? std::optional(number) : std::nullopt;
  }
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (const auto& [known, value] : names) {
    if (name == known) return value;
  }
  // "RTMIN+3": the first real-time signal that the kernel leaves to programs is 34.
  if (name.starts_with("RTMIN+")) {
    const auto rest = name.substr(6);
    std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (number >= 0 && number <= 30) return 34 + number;
  }
  return std::nullopt;
}

}  // namespace koi::agent
