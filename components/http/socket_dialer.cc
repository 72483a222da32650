#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <vector>

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

using Dialed = Result<std::unique_ptr<ByteStream>>;

base::Error dial_error(const boost::system::error_code& error, const Endpoint& endpoint) {
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  return {Code::unavailable, "connect to '" + to_string(endpoint) + "': " + error.message()};
}

Task<Result<std::vector<tcp::endpoint>>> resolve(const Endpoint& endpoint) {
  boost::system::error_code error;
  std::vector<tcp::endpoint> found;
  const auto address = asio::ip::make_address(endpoint.host, error);
  if (!error) {
    found.emplace_back(address, endpoint.port);
    co_return found;
  }
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const std::string port = std::to_string(endpoint.port);
  error.clear();
  const auto results =
      co_await resolver.async_resolve(endpoint.host, port, tcp::resolver::numeric_service,
                                      asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return fail(dial_error(error, endpoint));
  for (const auto& entry : results) found.push_back(entry.endpoint());
  co_return found;
}

class SocketDialer final : public Dialer {
 public:
  Task<Dialed> dial(const Endpoint& endpoint) override {
    if (!endpoint.unix_path.empty()) return dial_unix(endpoint);
    return dial_tcp(endpoint);
  }

 private:
  static Task<Dialed> dial_unix(Endpoint endpoint) {
    if (endpoint.unix_path.size() > 107) {
      co_return fail(Code::invalid, "'" + endpoint.unix_path + "' is too long for a socket");
    }
    stream_protocol::socket socket(co_await asio::this_coro::executor);
    boost::system::error_code error;
    co_await socket.async_connect(stream_protocol::endpoint(endpoint.unix_path),
                                  asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return fail(dial_error(error, endpoint));
    co_return make_plain_stream(std::move(socket), "unix");
  }

  static Task<Dialed> dial_tcp(Endpoint endpoint) {
    auto addresses = co_await resolve(endpoint);
    if (!addresses) co_return fail(std::move(addresses).error());
    boost::system::error_code error = asio::error::host_not_found;
    for (const tcp::endpoint& address : *addresses) {
      tcp::socket socket(co_await asio::this_coro::executor);
      error.clear();
      co_await socket.async_connect(address, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) break;
      if (error) continue;
      boost::system::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      socket.set_option(asio::socket_base::keep_alive(true), ignored);
      Endpoint reached;
      reached.host = address.address().to_string();
      reached.port = address.port();
      co_return make_plain_stream(std::move(socket), to_string(reached));
    }
    co_return fail(dial_error(error, endpoint));
  }
};

}  // namespace

std::unique_ptr<Dialer> make_socket_dialer() { return std::make_unique<SocketDialer>(); }

}  // namespace koi::http
