#include <array>
#include <charconv>
#include <unordered_set>

#include "base/event.h"
#include "base/limits.h"
#include "http/client_session.h"
#include "http/deadline.h"
#include "http/h2_channel.h"

namespace koi::http {

namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

constexpr std::int32_t stream_window_bytes = 1024 * 1024;
constexpr std::int32_t connection_window_bytes = 16 * 1024 * 1024;

// A request and its answer.
struct Exchange {
  explicit Exchange(const base::Executor& executor) : changed(executor) {}

  std::int32_t id = -1;  // -1: nghttp2 knows no stream of it (any longer)
  H2Body out;
  int status = 0;
  Headers headers;
  std::size_t header_bytes = 0;
  bool head_done = false;
  std::string bytes;  // of the body, not yet taken
  bool ended = false;
  std::optional<base::Error> failure;
  base::Event changed;
};

class H2Client final : public ClientSession,
                       public std::enable_shared_from_this<H2Client>,
                       private H2Channel {
 public:
  H2Client(const ClientSessionOptions& options, std::unique_ptr<ByteStream> stream)
      : H2Channel(options.executor, *stream, false),
        clock_(options.clock),
        executor_(options.executor),
        authority_(options.authority),
        ping_interval_(options.ping_interval),
        owned_(std::move(stream)),
        scheme_(owned_->peer()->tls ? "https" : "http"),
        tasks_(options.executor) {}

  void start();
  Task<Result<Response>> open(Request request) override;
  Task<Result<Upgraded>> upgrade(Request request) override;
  bool alive() const override { return alive_; }
  void close() override;
  Task<> wait_closed() override { co_await wait_ended(tasks_); }

  // Ends the exchange; the server is told unless it ended by itself.
  void forget(Exchange& exchange);
  // Lets the server send as many bytes more.
  void consumed(const Exchange& exchange, std::size_t bytes);

 private:
  int on_begin(std::int32_t) override { return 0; }
  int on_header(std::int32_t id, std::string_view name, std::string_view value) override;
  int on_frame(const nghttp2_frame& frame) override;
  int on_data(std::int32_t id, std::string_view bytes) override;
  int on_close(std::int32_t id, std::uint32_t error_code) override;
  void on_stalled(bool) override {}

  Exchange* find(std::int32_t id) {
    return static_cast<Exchange*>(nghttp2_session_get_stream_user_data(session_.get(), id));
  }
  Result<> submit(Exchange& exchange, Request& request);
  Result<bool> read_available();
  void break_off(const std::string& why);
  Task<> read_loop();
  Task<> write_all_frames();
  Task<> ping_loop();

  base::Clock& clock_;
  base::Executor executor_;
  std::string authority_;
  base::Duration ping_interval_;
  std::unique_ptr<ByteStream> owned_;
  std::string_view scheme_;
  std::unordered_set<Exchange*> exchanges_;
  base::TaskGroup tasks_;
  bool alive_ = true;
  bool heard_ = true;  // since the last ping
};

// An exchange and what it runs on.
class Call {
 public:
  explicit Call(std::shared_ptr<H2Client> client, const base::Executor& executor)
      : client_(std::move(client)), exchange_(std::make_unique<Exchange>(executor)) {}
  Call(Call&&) noexcept = default;
  Call& operator=(Call&&) = delete;
  ~Call() {
    if (exchange_) client_->forget(*exchange_);
  }

  H2Client& client() { return *client_; }
  Exchange& exchange() { return *exchange_; }

 private:
  std::shared_ptr<H2Client> client_;
  std::unique_ptr<Exchange> exchange_;
};

class H2ClientBody final : public BodyStream {
 public:
  explicit H2ClientBody(Call call) : call_(std::move(call)) {}

  Task<Result<std::optional<Segments>>> next() override {
    Exchange& exchange = call_.exchange();
    while (exchange.bytes.empty() && !exchange.ended && !exchange.failure) {
      co_await exchange.changed.wait();
    }
    if (!exchange.bytes.empty()) {
      call_.client().consumed(exchange, exchange.bytes.size());
      std::string bytes = std::exchange(exchange.bytes, {});
      Segments segments{std::make_shared<const std::string>(std::move(bytes))};
      co_return std::optional<Segments>(std::move(segments));
    }
    if (exchange.failure) co_return fail(*exchange.failure);
    co_return std::optional<Segments>();
  }

 private:
  Call call_;
};

void H2Client::start() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(base::limits::request_header_bytes_max)},
  };
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        connection_window_bytes);
  tasks_.spawn("http.client.read", read_loop());
  tasks_.spawn("http.client.write", write_all_frames());
  if (ping_interval_ > base::Duration::zero()) tasks_.spawn("http.client.ping", ping_loop());
}

Task<Result<Response>> H2Client::open(Request request) {
  Call call(shared_from_this(), executor_);
  Exchange& exchange = call.exchange();
  auto submitted = submit(exchange, request);
  if (!submitted) co_return fail(std::move(submitted).error());
  while (!exchange.head_done && !exchange.failure) co_await exchange.changed.wait();
  if (exchange.failure) co_return fail(*exchange.failure);
  Response response;
  response.status = exchange.status;
  response.headers = std::move(exchange.headers);
  response.body = std::make_unique<H2ClientBody>(std::move(call));
  co_return response;
}

Task<Result<Upgraded>> H2Client::upgrade(Request) {
  co_return fail(Code::unsupported, "HTTP/2 connections cannot be upgraded: connect with HTTP/1.1");
}

Result<> H2Client::submit(Exchange& exchange, Request& request) {
  if (!alive_) return fail(Code::unavailable, "the connection is closed");
  const std::string_view method =
      request.method == Method::unknown ? request.method_text : method_name(request.method);
  const auto host = request.headers.find("Host");
  Fields fields(request.headers.size() + 4);
  fields.add(":method", method);
  fields.add(":scheme", scheme_);
  fields.add(":authority", host.value_or(authority_));
  fields.add(":path", request.target);
  for (const auto& [name, value] : request.headers) {
    if (!is_h1_only(name) && !equal_ignoring_case(name, "Host")) fields.add(name, value);
  }
  if (!request.body.empty()) {
    exchange.out.add(std::make_shared<const std::string>(std::move(request.body)));
  }
  exchange.out.finished = true;
  auto body = provider(exchange.out);
  const std::int32_t id =
      nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                             exchange.out.bytes > 0 ? &body : nullptr, &exchange);
  if (id < 0) {
    alive_ = false;
    return fail(Code::unavailable, "this connection takes no more requests");
  }
  exchange.id = id;
  exchanges_.insert(&exchange);
  flush_soon();
  return {};
}

void H2Client::forget(Exchange& exchange) {
  exchanges_.erase(&exchange);
  if (!exchange.bytes.empty()) consumed(exchange, exchange.bytes.size());
  if (exchange.id < 0) return;
  nghttp2_session_set_stream_user_data(session_.get(), exchange.id, nullptr);
  exchange.out.broken = true;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, exchange.id, NGHTTP2_CANCEL);
  flush_soon();
}

void H2Client::consumed(const Exchange& exchange, std::size_t bytes) {
  if (exchange.id >= 0) {
    nghttp2_session_consume(session_.get(), exchange.id, bytes);
  } else {
    nghttp2_session_consume_connection(session_.get(), bytes);
  }
  flush_soon();
}

int H2Client::on_header(std::int32_t id, std::string_view name, std::string_view value) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->head_done) return 0;
  exchange->header_bytes += name.size() + value.size() + 32;
  if (exchange->header_bytes > base::limits::request_header_bytes_max) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), exchange->status);
  } else if (!name.starts_with(':')) {
    exchange->headers.add(name, value);
  }
  return 0;
}

int H2Client::on_frame(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) alive_ = false;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  Exchange* exchange = find(frame.hd.stream_id);
  if (exchange == nullptr) return 0;
  if (frame.hd.type == NGHTTP2_HEADERS && !exchange->head_done) {
    exchange->head_done = exchange->status >= 200;
    if (!exchange->head_done) exchange->headers.clear();
  }
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) exchange->ended = true;
  exchange->changed.notify_all();
  return 0;
}

int H2Client::on_data(std::int32_t id, std::string_view bytes) {
  Exchange* exchange = find(id);
  if (exchange == nullptr) {
    nghttp2_session_consume_connection(session_.get(), bytes.size());
    return 0;
  }
  exchange->bytes.append(bytes);
  exchange->changed.notify_all();
  return 0;
}

int H2Client::on_close(std::int32_t id, std::uint32_t error_code) {
  Exchange* exchange = find(id);
  if (exchange == nullptr) return 0;
  exchange->id = -1;
  if (!exchange->ended) {
    exchange->failure = base::Error{Code::unavailable, std::string("the server broke off: ") +
                                                           nghttp2_http2_strerror(error_code)};
  }
  exchange->changed.notify_all();
  return 0;
}

void H2Client::close() {
  break_off("the connection is closed");
  tasks_.cancel();
}

void H2Client::break_off(const std::string& why) {
  alive_ = false;
  stream_.close();
  for (Exchange* exchange : exchanges_) {
    if (!exchange->ended && !exchange->failure) {
      exchange->failure = base::Error{Code::unavailable, why};
    }
    exchange->changed.notify_all();
  }
}

// False at the end of the stream.
Result<bool> H2Client::read_available() {
  std::array<char, 16 * 1024> buffer;
  auto got = stream_.try_read(buffer);
  if (!got) return fail(std::move(got).error());
  if (!got->has_value()) return true;
  if (**got == 0) return false;
  heard_ = true;
  auto received = receive({buffer.data(), **got});
  if (!received) return fail(std::move(received).error());
  auto flushed = flush_now();
  if (!flushed) return fail(std::move(flushed).error());
  return true;
}

Task<> H2Client::read_loop() {
  const auto self = shared_from_this();
  std::string why = "the server closed the connection";
  for (;;) {
    auto ready = co_await stream_.wait_readable();
    if (!ready) {
      why = ready.error().message;
      break;
    }
    auto more = read_available();
    if (!more) why = more.error().message;
    if (!more || !*more) break;
  }
  break_off(why);
  tasks_.cancel();
}

Task<> H2Client::write_all_frames() {
  const auto self = shared_from_this();
  co_await write_loop();
  // The session is over, or the stream is broken: the reader notices either.
  stream_.close();
}

Task<> H2Client::ping_loop() {
  const auto self = shared_from_this();
  for (;;) {
    heard_ = false;
    co_await clock_.sleep_for(ping_interval_);
    if (heard_) continue;
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
    flush_soon();
    co_await clock_.sleep_for(ping_interval_);
    if (heard_) continue;
    break_off("the server has been silent for too long");
    tasks_.cancel();
    co_return;
  }
}

}  // namespace

std::shared_ptr<ClientSession> make_h2_client(const ClientSessionOptions& options,
                                              std::unique_ptr<ByteStream> stream) {
  auto client = std::make_shared<H2Client>(options, std::move(stream));
  client->start();
  return client;
}

}  // namespace koi::http
