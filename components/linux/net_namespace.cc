#include "linux/net_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <thread>

namespace koi::linux {

base::Result<UniqueFd> current_net_namespace() {
  return open_file("/proc/thread-self/ns/net", O_RDONLY);
}

base::Result<UniqueFd> make_net_namespace() {
  base::Result<UniqueFd> made;
  std::thread thread([&made] {
    if (::unshare(CLONE_NEWNET) != 0) {
      made = fail_errno("make network namespace");
    } else {
      made = current_net_namespace();
    }
  });
  thread.join();
  return made;
}

base::Result<> in_net_namespace(int net_namespace, const std::function<base::Result<>()>& work) {
  base::Result<> outcome;
  std::thread thread([&] {
    if (::setns(net_namespace, CLONE_NEWNET) != 0) {
      outcome = fail_errno("enter network namespace");
    } else {
      outcome = work();
    }
  });
  thread.join();
  return outcome;
}

base::Result<std::string> read_sysctl(const std::string& name) {
  auto text = read_file("/proc/sys/" + name);
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

base::Result<> write_sysctl(const std::string& name, const std::string& value) {
  if (const auto current = read_sysctl(name); current && *current == value) return {};
  return write_file("/proc/sys/" + name, value);
}

}  // namespace koi::linux
