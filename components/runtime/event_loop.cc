#include "runtime/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>

namespace koi::runtime {

using base::Result;

Result<EventLoop> EventLoop::create() {
  linux::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return linux::fail_errno("epoll");
  return EventLoop(std::move(epoll));
}

Result<> EventLoop::watch(int fd, Handler handler) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return linux::fail_errno("epoll");
  handlers_[fd] = std::make_shared<Handler>(std::move(handler));
  return {};
}

void EventLoop::want_write(int fd, bool wanted) {
  epoll_event event{};
  event.events = EPOLLIN | (wanted ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::forget(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(fd);
}

bool EventLoop::run_once(std::chrono::milliseconds patience) {
  epoll_event events[32];
  const auto bounded = std::clamp<std::int64_t>(patience.count(), -1, 3'600'000);
  const int count = ::epoll_wait(epoll_.get(), events, 32, static_cast<int>(bounded));
  for (int i = 0; i < count; ++i) {
    const auto found = handlers_.find(events[i].data.fd);
    if (found == handlers_.end()) continue;
    const std::shared_ptr<Handler> handler = found->second;
    (*handler)();
  }
  return count > 0;
}

}  // namespace koi::runtime
