#include "http/plain_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>

namespace koi::http {

namespace asio = boost::asio;
using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::size_t segments_per_call_max = 64;

base::Error socket_error(int error_number, std::string_view action) {
  base::Error error = base::errno_error(error_number, action);
  error.code = Code::unavailable;
  return error;
}

class PlainStream final : public ByteStream {
 public:
  PlainStream(StreamSocket socket, std::string peer_address) : socket_(std::move(socket)) {
    Peer peer;
    peer.address = std::move(peer_address);
    peer_ = std::make_shared<const Peer>(std::move(peer));
  }

  Result<std::optional<std::size_t>> try_read(std::span<char> buffer) override {
    if (closed_) return fail(Code::unavailable, "the connection is closed");
    for (;;) {
      const ssize_t got =
          ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(got));
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<std::size_t>();
      if (errno != EINTR) return fail(socket_error(errno, "read from the connection"));
    }
  }

  Result<std::size_t> try_write(std::span<const std::string_view> segments) override {
    if (closed_) return fail(Code::unavailable, "the connection is closed");
    std::array<iovec, segments_per_call_max> pieces;
    std::size_t total = 0;
    while (!segments.empty()) {
      const std::size_t count = std::min(segments.size(), pieces.size());
      std::size_t wanted = 0;
      for (std::size_t i = 0; i < count; ++i) {
        pieces[i] = {const_cast<char*>(segments[i].data()), segments[i].size()};
        wanted += segments[i].size();
      }
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = count;
      const ssize_t put = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (put < 0) return fail(socket_error(errno, "write to the connection"));
      total += static_cast<std::size_t>(put);
      if (static_cast<std::size_t>(put) < wanted) break;
      segments = segments.subspan(count);
    }
    return total;
  }

  Task<Result<>> wait_readable() override { return wait(asio::socket_base::wait_read); }
  Task<Result<>> wait_writable() override { return wait(asio::socket_base::wait_write); }

  Task<Result<>> shutdown_write() override {
    boost::system::error_code error;
    socket_.shutdown(asio::socket_base::shutdown_send, error);
    co_return Result<>();
  }

  void close() override {
    closed_ = true;
    boost::system::error_code error;
    socket_.close(error);
  }

  std::shared_ptr<const Peer> peer() const override { return peer_; }

 private:
  Task<Result<>> wait(asio::socket_base::wait_type what) {
    if (closed_) co_return fail(Code::unavailable, "the connection is closed");
    boost::system::error_code error;
    co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, error));
    if (closed_) co_return fail(Code::unavailable, "the connection is closed");
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) co_return fail(Code::unavailable, "wait for the connection: " + error.message());
    co_return Result<>();
  }

  StreamSocket socket_;
  std::shared_ptr<const Peer> peer_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> make_plain_stream(StreamSocket socket, std::string peer_address) {
  return std::make_unique<PlainStream>(std::move(socket), std::move(peer_address));
}

}  // namespace koi::http
