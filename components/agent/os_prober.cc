#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>

#include "agent/prober.h"

namespace koi::agent {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t response_bytes_max = 16 * 1024;

std::string host_and_port(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// A connection that its deadline closes.
class TimedSocket {
 public:
  TimedSocket(const base::Executor& executor, base::Duration timeout)
      : state_(std::make_shared<State>(executor)) {
    state_->timer.expires_after(timeout);
    state_->timer.async_wait([state = state_](const error_code& error) {
      if (error) return;
      state->expired = true;
      error_code ignored;
      state->resolver.cancel();
      state->socket.close(ignored);
    });
  }
  ~TimedSocket() { state_->timer.cancel(); }
  TimedSocket(const TimedSocket&) = delete;
  TimedSocket& operator=(const TimedSocket&) = delete;

  base::Task<error_code> connect(std::string host, std::uint16_t port) {
    const auto state = state_;
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (!error) {
      const tcp::endpoint endpoint(address, port);
      co_await state->socket.async_connect(endpoint,
                                           asio::redirect_error(asio::use_awaitable, error));
      co_return error;
    }
    const auto service = std::to_string(port);
    const auto found = co_await state->resolver.async_resolve(
        host, service, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
    co_await asio::async_connect(state->socket, found,
                                 asio::redirect_error(asio::use_awaitable, error));
    co_return error;
  }

  base::Task<error_code> write(std::string bytes) {
    const auto state = state_;
    error_code error;
    co_await asio::async_write(state->socket, asio::buffer(bytes),
                               asio::redirect_error(asio::use_awaitable, error));
    co_return error;
  }

  // Reads until a whole status line is there.
  base::Task<error_code> read_status(std::string& response) {
    const auto state = state_;
    error_code error;
    char buffer[2048];
    while (response.find("\r\n") == std::string::npos && response.size() < response_bytes_max) {
      const auto size = co_await state->socket.async_read_some(
          asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return error;
      response.append(buffer, size);
    }
    co_return error;
  }

  bool expired() const { return state_->expired; }

 private:
  struct State {
    explicit State(const base::Executor& executor)
        : socket(executor), resolver(executor), timer(executor) {}
    tcp::socket socket;
    tcp::resolver resolver;
    asio::steady_timer timer;
    bool expired = false;
  };
  std::shared_ptr<State> state_;
};

std::string dial_error(const std::string& address, const error_code& error, bool expired) {
  if (expired) return "dial tcp " + address + ": i/o timeout";
  auto text = error.message();
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return "dial tcp " + address + ": connect: " + text;
}

std::string request_text(const HttpProbe& probe) {
  std::string host = host_and_port(probe.host, probe.port);
  std::string agent = "kube-probe/1.36";
  std::string accept = "*/*";
  std::string extra;
  for (const auto& [name, value] : probe.headers) {
    const bool clean = (name + value).find_first_of("\r\n") == std::string::npos;
    if (!clean) continue;
    if (name == "Host") {
      host = value;
    } else if (name == "User-Agent") {
      agent = value;
    } else if (name == "Accept") {
      accept = value;
    } else {
      extra.append(name).append(": ").append(value).append("\r\n");
    }
  }
  std::string path = probe.path;
  std::erase_if(path, [](char c) { return c == '\r' || c == '\n' || c == ' '; });
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: " + agent +
         "\r\nAccept: " + accept + "\r\nConnection: close\r\n" + extra + "\r\n";
}

ProbeOutcome judge(const std::string& response) {
  ProbeOutcome outcome;
  int status = 0;
  if (response.starts_with("HTTP/1.") && response.size() > 12) {
    std::from_chars(response.data() + 9, response.data() + 12, status);
  }
  outcome.success = status >= 200 && status < 400;
  if (status == 0) {
    outcome.message = "malformed HTTP response";
  } else if (!outcome.success) {
    outcome.message = "HTTP probe failed with statuscode: " + std::to_string(status);
  }
  return outcome;
}

class OsProber final : public Prober {
 public:
  base::Task<ProbeOutcome> http_get(HttpProbe probe, base::Duration timeout) override {
    const auto executor = co_await base::current_executor();
    TimedSocket socket(executor, timeout);
    const auto address = host_and_port(probe.host, probe.port);
    const auto url = "Get \"http://" + address + probe.path + "\": ";
    ProbeOutcome outcome;
    auto error = co_await socket.connect(probe.host, probe.port);
    if (error) {
      outcome.message = url + dial_error(address, error, socket.expired());
      co_return outcome;
    }
    std::string response;
    error = co_await socket.write(request_text(probe));
    if (!error) error = co_await socket.read_status(response);
    if (socket.expired()) {
      outcome.message = url +
                        "context deadline exceeded "
                        "(Client.Timeout exceeded while awaiting headers)";
      co_return outcome;
    }
    if (error) {
      outcome.message = url + (response.empty() ? "EOF" : error.message());
      co_return outcome;
    }
    co_return judge(response);
  }

  base::Task<ProbeOutcome> tcp_connect(std::string host, std::uint16_t port,
                                       base::Duration timeout) override {
    const auto executor = co_await base::current_executor();
    TimedSocket socket(executor, timeout);
    const auto error = co_await socket.connect(host, port);
    ProbeOutcome outcome;
    outcome.success = !error;
    if (error) outcome.message = dial_error(host_and_port(host, port), error, socket.expired());
    co_return outcome;
  }
};

}  // namespace

std::unique_ptr<Prober> make_prober() { return std::make_unique<OsProber>(); }

}  // namespace koi::agent
