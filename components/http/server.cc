#include "http/server.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <list>

#include "base/event.h"
#include "base/log.h"
#include "http/deadline.h"
#include "http/session.h"

namespace koi::http {

namespace asio = boost::asio;
using base::Result;
using base::Task;

namespace {

constexpr std::string_view h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr auto accept_pause = std::chrono::milliseconds(100);

// Counts a connection as long as it exists.
class Place {
 public:
  explicit Place(std::atomic<std::size_t>& count) : count_(&count) { ++count; }
  Place(Place&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (count_ != nullptr) --*count_;
  }

 private:
  std::atomic<std::size_t>* count_;
};

struct LiveConnection {
  LiveConnection(ServerContext& context, std::unique_ptr<ByteStream> stream)
      : connection(context, std::move(stream)),
        silence(context.clock, connection.tasks, [this] { connection.stream->close(); }) {}

  Connection connection;
  Watchdog silence;                  // of a client that has not shown which protocol it speaks
  std::unique_ptr<Session> session;  // null until the protocol is known
  bool draining = false;

  void drain() {
    draining = true;
    if (session) {
      session->drain();
    } else {
      connection.stream->close();
    }
  }
};

// The connections of one executor.
struct Shard {
  Shard(base::Clock& clock, Handler& handler, const ServerOptions& options,
        std::atomic<std::uint64_t>& requests, const base::Executor& executor)
      : context(clock, handler, options, requests, executor),
        connections(executor),
        control(executor) {}

  ServerContext context;
  base::TaskGroup connections;
  base::TaskGroup control;
  std::list<LiveConnection*> live;
};

// The bytes up to where HTTP/2 with prior knowledge can be told from HTTP/1; nothing at the end.
Task<std::optional<std::string>> read_preface(LiveConnection& live) {
  ByteStream& stream = *live.connection.stream;
  live.silence.arm(live.connection.context.options.idle_timeout);
  std::string input;
  while (input.size() < h2_preface.size() && h2_preface.starts_with(input)) {
    std::array<char, 1024> buffer;
    auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return std::nullopt;
    input.append(buffer.data(), *got);
  }
  live.silence.disarm();
  co_return input;
}

Task<> run_session(LiveConnection& live) {
  Connection& connection = live.connection;
  std::exception_ptr failure;
  try {
    const std::string protocol(connection.stream->protocol());
    std::optional<std::string> input = std::string();
    if (protocol.empty()) input = co_await read_preface(live);
    if (input && !live.draining) {
      const bool h2 = protocol == "h2" || input->starts_with(h2_preface);
      live.session = h2 ? make_h2_session(connection, std::move(*input))
                        : make_h1_session(connection, std::move(*input));
      co_await live.session->run();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  connection.tasks.cancel();
  if (failure) std::rethrow_exception(failure);
}

Task<> serve_connection(Shard& shard, std::unique_ptr<ByteStream> stream,
                        std::shared_ptr<TlsServerContext> tls, Place place) {
  const ServerContext& context = shard.context;
  if (tls) {
    const std::string address = stream->peer()->address;
    const base::MonoTime deadline = context.clock.now() + context.options.handshake_timeout;
    auto shaking = tls->accept(std::move(stream));
    auto secured = co_await with_deadline(context.clock, deadline, std::move(shaking));
    if (!secured) {
      base::log::debug("http.handshake.failed",
                       {{"peer", address}, {"error", secured.error().message}});
      co_return;
    }
    stream = std::move(*secured);
  }
  LiveConnection live(shard.context, std::move(stream));
  const auto entry = shard.live.insert(shard.live.end(), &live);
  live.connection.tasks.spawn("http.session", run_session(live));
  bool cancelled = false;
  try {
    co_await wait_ended(live.connection.tasks);
  } catch (const boost::system::system_error&) {
    cancelled = true;
  }
  if (cancelled) co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (live.session) co_await live.session->finish();
  shard.live.erase(entry);
}

Task<Result<>> wait_idle(base::TaskGroup& group) {
  co_await group.wait_idle();
  co_return Result<>();
}

Task<> stop_shard(Shard& shard, base::MonoTime deadline, std::function<void()> stopped) {
  const std::vector<LiveConnection*> live(shard.live.begin(), shard.live.end());
  for (LiveConnection* connection : live) connection->drain();
  auto idle = wait_idle(shard.connections);
  co_await with_deadline(shard.context.clock, deadline, std::move(idle));
  co_await shard.connections.stop();
  stopped();
}

}  // namespace

std::size_t Handler::body_bytes_max(const Request&) { return base::limits::request_body_bytes_max; }

Response Handler::refuse(int status, std::string_view why) {
  return Response::text(status, std::string(why) + "\n");
}

struct Server::Impl {
  Impl(base::Clock& clock_in, Handler& handler_in, std::vector<base::Executor> executors,
       ServerOptions options_in)
      : clock(clock_in),
        handler(handler_in),
        options(options_in),
        home(executors.front()),
        acceptors(home) {
    for (const base::Executor& executor : executors) {
      shards.push_back(std::make_unique<Shard>(clock, handler, options, requests, executor));
    }
  }

  // Runs the work on the shard's executor.
  template <class Work>
  void on_shard(Shard& shard, Work work) {
    if (shard.context.executor == home) {
      work();
    } else {
      asio::post(shard.context.executor, std::move(work));
    }
  }

  Task<> accept(std::shared_ptr<Listener> listener, std::shared_ptr<TlsServerContext> tls);
  void start_connection(Shard& shard, std::unique_ptr<ByteStream> stream,
                        std::shared_ptr<TlsServerContext> tls);
  void destroy(std::unique_ptr<Shard> shard, std::function<void()> destroyed);

  base::Clock& clock;
  Handler& handler;
  ServerOptions options;
  base::Executor home;
  std::atomic<std::size_t> connections = 0;
  std::atomic<std::uint64_t> requests = 0;
  std::vector<std::unique_ptr<Shard>> shards;
  std::size_t next_shard = 0;
  std::vector<std::shared_ptr<Listener>> listeners;
  base::TaskGroup acceptors;
};

void Server::Impl::start_connection(Shard& shard, std::unique_ptr<ByteStream> stream,
                                    std::shared_ptr<TlsServerContext> tls) {
  Place place(connections);
  auto start = [&shard, stream = std::move(stream), tls = std::move(tls),
                place = std::move(place)]() mutable {
    shard.connections.spawn("http.connection", serve_connection(shard, std::move(stream),
                                                                std::move(tls), std::move(place)));
  };
  on_shard(shard, std::move(start));
}

Task<> Server::Impl::accept(std::shared_ptr<Listener> listener,
                            std::shared_ptr<TlsServerContext> tls) {
  for (;;) {
    Shard& shard = *shards[next_shard++ % shards.size()];
    auto accepted = co_await listener->accept(shard.context.executor);
    if (!accepted) {
      if (accepted.error().code == base::Code::unavailable) co_return;
      base::log::warn("http.accept.failed", {{"address", listener->address()},
                                             {"error", accepted.error().message},
                                             {"next", "trying again in 100 ms"}});
      co_await clock.sleep_for(accept_pause);
      continue;
    }
    if (connections >= options.connections_max) continue;
    start_connection(shard, std::move(*accepted), tls);
  }
}

// A shard ends on its own executor, once nothing of it is left there.
void Server::Impl::destroy(std::unique_ptr<Shard> shard, std::function<void()> destroyed) {
  const base::Executor executor = shard->context.executor;
  auto work = [this, shard = std::move(shard), destroyed = std::move(destroyed)]() mutable {
    if (shard->control.size() > 0) {
      destroy(std::move(shard), std::move(destroyed));
      return;
    }
    shard.reset();
    destroyed();
  };
  asio::post(executor, std::move(work));
}

Server::Server(base::Clock& clock, Handler& handler, std::vector<base::Executor> executors,
               ServerOptions options)
    : impl_(std::make_unique<Impl>(clock, handler, std::move(executors), options)) {}

Server::~Server() = default;

void Server::listen(std::unique_ptr<Listener> listener, std::shared_ptr<TlsServerContext> tls) {
  std::shared_ptr<Listener> shared = std::move(listener);
  impl_->listeners.push_back(shared);
  impl_->acceptors.spawn("http.accept", impl_->accept(shared, std::move(tls)));
}

Task<> Server::stop(base::Duration grace) {
  Impl& impl = *impl_;
  for (const auto& listener : impl.listeners) listener->close();
  co_await impl.acceptors.stop();
  const base::MonoTime deadline = impl.clock.now() + grace;
  base::Event changed(impl.home);
  std::size_t left = impl.shards.size();
  const std::function<void()> one_less = [&] {
    asio::post(impl.home, [&] {
      --left;
      changed.notify_all();
    });
  };
  for (const auto& shard : impl.shards) {
    impl.on_shard(*shard, [&shard = *shard, deadline, one_less] {
      shard.control.spawn("http.stop", stop_shard(shard, deadline, one_less));
    });
  }
  while (left > 0) co_await changed.wait();
  left = impl.shards.size();
  for (auto& shard : impl.shards) impl.destroy(std::move(shard), one_less);
  while (left > 0) co_await changed.wait();
  impl.shards.clear();
  impl.listeners.clear();
}

Server::Statistics Server::statistics() const {
  return {.connections = impl_->connections, .requests = impl_->requests};
}

}  // namespace koi::http
