#include "simulation/switch_client.h"

#include <optional>
#include <utility>

#include "base/event.h"

namespace koi::simulation {

using base::Result;
using base::Task;

// One connection to one server. Every call runs in its group, so that the server's end ends them.
struct SwitchClient::Link {
  Link(const base::Executor& executor, client::ApiClient& s) : server(s), calls(executor) {}
  client::ApiClient& server;
  base::TaskGroup calls;
  bool up = true;
};

namespace {

using Link = SwitchClient::Link;

std::unexpected<base::Error> gone() {
  return base::fail(base::Code::unavailable, "the server is gone");
}

template <class T>
struct Pending {
  explicit Pending(const base::Executor& executor) : done(executor) {}
  std::optional<Result<T>> result;
  base::Event done;
};

template <class T>
Task<> perform(Task<Result<T>> call, std::shared_ptr<Pending<T>> pending) {
  bool answered = false;
  try {
    pending->result = co_await std::move(call);
    answered = true;
  } catch (...) {
    pending->result = gone();
    pending->done.notify_all();
    throw;
  }
  if (answered) pending->done.notify_all();
}

// Runs the call in the link's group and waits for its end or the link's.
template <class T>
Task<Result<T>> relay(std::shared_ptr<Link> link, Task<Result<T>> call) {
  const auto executor = co_await base::current_executor();
  auto pending = std::make_shared<Pending<T>>(executor);
  link->calls.spawn("call", perform<T>(std::move(call), pending));
  while (!pending->result) co_await pending->done.wait();
  co_return std::move(*pending->result);
}

class SwitchWatch final : public client::Watch {
 public:
  SwitchWatch(std::shared_ptr<Link> link, std::shared_ptr<client::Watch> watch)
      : link_(std::move(link)), watch_(std::move(watch)) {}

  Task<Result<std::vector<client::WatchEvent>>> next() override {
    if (!link_->up) co_return gone();
    co_return co_await relay(link_, next_of(watch_));
  }

 private:
  // Holds the inner watch for as long as the call runs, which may be longer than this object lives.
  static Task<Result<std::vector<client::WatchEvent>>> next_of(
      std::shared_ptr<client::Watch> watch) {
    co_return co_await watch->next();
  }

  std::shared_ptr<Link> link_;
  std::shared_ptr<client::Watch> watch_;
};

}  // namespace

SwitchClient::SwitchClient(base::Executor executor) : executor_(std::move(executor)) {}

SwitchClient::~SwitchClient() = default;

void SwitchClient::connect(client::ApiClient& server) {
  link_ = std::make_shared<Link>(executor_, server);
}

Task<> SwitchClient::disconnect() {
  const auto link = std::exchange(link_, nullptr);
  if (!link) co_return;
  link->up = false;
  co_await link->calls.stop();
}

Task<Result<api::ObjectPtr>> SwitchClient::get(const client::ObjectRef& ref) {
  const auto link = link_;
  if (!link) co_return gone();
  co_return co_await relay(link, link->server.get(ref));
}

Task<Result<client::ObjectList>> SwitchClient::list(const client::Resource& resource,
                                                    const std::string& name_space,
                                                    const client::ListOptions& options) {
  const auto link = link_;
  if (!link) co_return gone();
  co_return co_await relay(link, link->server.list(resource, name_space, options));
}

Task<Result<std::unique_ptr<client::Watch>>> SwitchClient::watch(
    const client::Resource& resource, const std::string& name_space,
    const client::WatchOptions& options) {
  const auto link = link_;
  if (!link) co_return gone();
  auto opened = co_await relay(link, link->server.watch(resource, name_space, options));
  if (!opened) co_return base::fail(std::move(opened).error());
  co_return std::make_unique<SwitchWatch>(link, std::move(*opened));
}

Task<Result<api::ObjectPtr>> SwitchClient::create(const client::ObjectRef& ref,
                                                  json::Value object) {
  const auto link = link_;
  if (!link) co_return gone();
  co_return co_await relay(link, link->server.create(ref, std::move(object)));
}

Task<Result<api::ObjectPtr>> SwitchClient::update(const client::ObjectRef& ref,
                                                  json::Value object) {
  const auto link = link_;
  if (!link) co_return gone();
  co_return co_await relay(link, link->server.update(ref, std::move(object)));
}

Task<Result<api::ObjectPtr>> SwitchClient::patch(const client::ObjectRef& ref,
                                                 client::PatchType type, json::Value patch) {
  const auto link = link_;
  if (!link) co_return gone();
  co_return co_await relay(link, link->server.patch(ref, type, std::move(patch)));
}

Task<Result<>> SwitchClient::remove(const client::ObjectRef& ref,
                                    const client::DeleteOptions& options) {
  const auto link = link_;
  if (!link) co_return gone();
  co_return co_await relay(link, link->server.remove(ref, options));
}

}  // namespace koi::simulation
