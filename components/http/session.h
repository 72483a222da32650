#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/task.h"
#include "base/time.h"
#include "http/byte_stream.h"
#include "http/message.h"
#include "http/server.h"
#include "http/watchdog.h"

// What the server's two protocols share. For this component's sources.
namespace koi::http {

// What the connections of one executor share.
struct ServerContext {
  ServerContext(base::Clock& clock_in, Handler& handler_in, const ServerOptions& options_in,
                std::atomic<std::uint64_t>& requests_in, base::Executor executor_in)
      : clock(clock_in),
        handler(handler_in),
        options(options_in),
        requests(requests_in),
        executor(std::move(executor_in)) {}

  base::Clock& clock;
  Handler& handler;
  const ServerOptions& options;
  std::atomic<std::uint64_t>& requests;
  base::Executor executor;

  // Bytes are read into this and used up before the next await, so that an idle connection holds
  // no buffer of its own.
  std::array<char, 64 * 1024> scratch;

  // The value of a Date header.
  std::string_view date();

 private:
  std::string date_;
  std::int64_t date_second_ = -1;
};

// A connection from its first request to its end.
struct Connection {
  Connection(ServerContext& context_in, std::unique_ptr<ByteStream> stream_in);

  ServerContext& context;
  std::unique_ptr<ByteStream> stream;  // null once a handler took it over
  std::shared_ptr<const Peer> peer;
  base::TaskGroup tasks;  // everything of this connection but the handlers of HTTP/2 streams
};

// One protocol on one connection.
class Session {
 public:
  virtual ~Session() = default;

  // Serves until the connection is done. Runs in the connection's group, whose other tasks are
  // cancelled afterwards.
  virtual base::Task<> run() = 0;
  // Waits for what runs outside the group; called last and never cancelled.
  virtual base::Task<> finish() = 0;
  // Takes no more requests: ends the connection as soon as those in flight are answered.
  virtual void drain() = 0;
};

// `already_read` came from the stream before the protocol was known.
std::unique_ptr<Session> make_h1_session(Connection& connection, std::string already_read);
std::unique_ptr<Session> make_h2_session(Connection& connection, std::string already_read);

// The handler's answer; 500 when it threw anything but a cancellation.
base::Task<Response> call_handler(ServerContext& context, Request& request);

}  // namespace koi::http
