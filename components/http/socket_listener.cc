#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>

#include "http/plain_stream.h"
#include "http/socket_stream.h"

namespace koi::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::local::stream_protocol;
using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

std::string format(const tcp::endpoint& endpoint) {
  Endpoint text;
  text.host = endpoint.address().to_string();
  text.port = endpoint.port();
  return to_string(text);
}

base::Error bind_error(const boost::system::error_code& error, const std::string& address) {
  const bool taken = error == asio::error::address_in_use;
  return {taken ? Code::already_exists : Code::unavailable,
          "listen on '" + address + "': " + error.message()};
}

class TcpListener final : public Listener {
 public:
  explicit TcpListener(tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {
    boost::system::error_code error;
    address_ = format(acceptor_.local_endpoint(error));
  }

  Task<Result<std::unique_ptr<ByteStream>>> accept(const base::Executor& executor) override {
    boost::system::error_code error;
    tcp::endpoint from;
    tcp::socket socket = co_await acceptor_.async_accept(
        executor, from, asio::redirect_error(asio::use_awaitable, error));
    if (closed_) co_return fail(Code::unavailable, "the listener is closed");
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) co_return fail(Code::internal, "accept a connection: " + error.message());
    socket.set_option(tcp::no_delay(true), error);
    socket.set_option(asio::socket_base::keep_alive(true), error);
    auto address = from.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      from.address(asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()));
    }
    co_return make_plain_stream(std::move(socket), format(from));
  }

  void close() override {
    closed_ = true;
    boost::system::error_code error;
    acceptor_.close(error);
  }

  std::string address() const override { return address_; }

 private:
  tcp::acceptor acceptor_;
  std::string address_;
  bool closed_ = false;
};

class UnixListener final : public Listener {
 public:
  UnixListener(stream_protocol::acceptor acceptor, std::string path)
      : acceptor_(std::move(acceptor)), path_(std::move(path)) {}
  ~UnixListener() override { UnixListener::close(); }

  Task<Result<std::unique_ptr<ByteStream>>> accept(const base::Executor& executor) override {
    boost::system::error_code error;
    stream_protocol::socket socket =
        co_await acceptor_.async_accept(executor, asio::redirect_error(asio::use_awaitable, error));
    if (closed_) co_return fail(Code::unavailable, "the listener is closed");
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) co_return fail(Code::internal, "accept a connection: " + error.message());
    co_return make_plain_stream(std::move(socket), "unix");
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    ::unlink(path_.c_str());
    boost::system::error_code error;
    acceptor_.close(error);
  }

  std::string address() const override { return "unix:" + path_; }

 private:
  stream_protocol::acceptor acceptor_;
  std::string path_;
  bool closed_ = false;
};

// Whether a process accepts connections on this socket file.
bool is_served(const base::Executor& executor, const std::string& path) {
  stream_protocol::socket socket(executor);
  boost::system::error_code error;
  socket.connect(stream_protocol::endpoint(path), error);
  return !error;
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_tcp(const base::Executor& executor,
                                             const ListenOptions& options) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return fail(Code::invalid, "'" + options.address + "' is not an IP address");
  const tcp::endpoint endpoint(address, options.port);
  tcp::acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && address.is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(options.backlog, error);
  if (error) return fail(bind_error(error, format(endpoint)));
  return std::make_unique<TcpListener>(std::move(acceptor));
}

Result<std::unique_ptr<Listener>> listen_unix(const base::Executor& executor,
                                              const std::string& path, std::uint32_t mode) {
  if (path.empty() || path.size() > 107) {
    return fail(Code::invalid, "'" + path + "' is no path for a socket: 1 to 107 bytes");
  }
  struct stat facts{};
  if (::lstat(path.c_str(), &facts) == 0) {
    if (!S_ISSOCK(facts.st_mode)) {
      return fail(Code::already_exists, "'" + path + "' exists and is no socket");
    }
    if (is_served(executor, path)) {
      return fail(Code::already_exists, "another process listens on '" + path + "'");
    }
    ::unlink(path.c_str());
  }
  boost::system::error_code error;
  stream_protocol::acceptor acceptor(executor);
  acceptor.open(stream_protocol(), error);
  if (!error) acceptor.bind(stream_protocol::endpoint(path), error);
  if (error) return fail(bind_error(error, path));
  // Nobody can connect before listen(), so no one slips in before the mode is set.
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
    return fail(base::errno_error(errno, "set the mode of '" + path + "'"));
  }
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(bind_error(error, path));
  return std::make_unique<UnixListener>(std::move(acceptor), path);
}

}  // namespace koi::http
