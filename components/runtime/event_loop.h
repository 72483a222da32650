#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/result.h"
#include "linux/fd.h"

// The shim's loop over epoll: a few kilobytes, where the agent's Asio would cost a megabyte per
// pod.
namespace koi::runtime {

class EventLoop {
 public:
  using Handler = std::function<void()>;

  static base::Result<EventLoop> create();

  // Calls `handler` whenever the descriptor can be read or has been closed at the other end. The
  // handler may remove any descriptor, its own included.
  base::Result<> watch(int fd, Handler handler);
  // Also wakes the handler when the descriptor can be written.
  void want_write(int fd, bool wanted);
  // Before the descriptor is closed.
  void forget(int fd);

  // Waits for at most `patience` (negative: for ever) and runs what became ready; false when
  // nothing did.
  bool run_once(std::chrono::milliseconds patience);

 private:
  explicit EventLoop(linux::UniqueFd epoll) : epoll_(std::move(epoll)) {}

  linux::UniqueFd epoll_;
  std::map<int, std::shared_ptr<Handler>> handlers_;
};

}  // namespace koi::runtime
