#include <array>

#include "base/event.h"
#include "base/limits.h"
#include "http/client_session.h"
#include "http/h1_parser.h"
#include "http/prefixed_stream.h"

namespace koi::http {

namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

struct State {
  State(const base::Executor& executor, std::unique_ptr<ByteStream> stream_in)
      : stream(std::move(stream_in)), freed(executor) {}

  std::unique_ptr<ByteStream> stream;
  std::string input;  // read but not parsed
  base::Event freed;
  bool busy = false;
  bool alive = true;

  void end() {
    alive = false;
    if (stream) stream->close();
  }
};

// The right to use the connection. Unless released, the message on it broke off and the
// connection with it.
class Turn {
 public:
  explicit Turn(std::shared_ptr<State> state) : state_(std::move(state)) { state_->busy = true; }
  Turn(Turn&&) noexcept = default;
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (state_) leave(false);
  }

  void leave(bool reusable) {
    const auto state = std::exchange(state_, nullptr);
    if (!reusable) state->end();
    state->busy = false;
    state->freed.notify_all();
  }

  State& state() { return *state_; }
  bool held() const { return state_ != nullptr; }

 private:
  std::shared_ptr<State> state_;
};

// A request on its turn, from its first byte to the last of its answer.
struct Exchange {
  Exchange(Turn turn_in, bool bodiless)
      : turn(std::move(turn_in)), parser(base::limits::request_header_bytes_max, bodiless) {}

  Turn turn;
  H1ResponseParser parser;

  // Goes on until the head, some bytes of the body or the end is there.
  Task<Result<Parsed>> advance() {
    for (;;) {
      State& state = turn.state();
      std::string_view input = state.input;
      Parsed parsed = parser.feed(input);
      state.input.erase(0, state.input.size() - input.size());
      if (parsed == Parsed::failed) co_return broken_off();
      if (parsed != Parsed::more || parser.has_body_bytes()) co_return parsed;
      auto ready = co_await state.stream->wait_readable();
      if (!ready) co_return fail(std::move(ready).error());
      auto more = read(state);
      if (!more) co_return fail(std::move(more).error());
      if (*more) continue;
      parsed = parser.finish();
      if (parsed == Parsed::failed) co_return broken_off();
      co_return parsed;
    }
  }

 private:
  Result<Parsed> broken_off() const { return fail(Code::unavailable, parser.why()); }

  // False at the end of the stream.
  static Result<bool> read(State& state) {
    std::array<char, 16 * 1024> buffer;
    auto got = state.stream->try_read(buffer);
    if (!got) return fail(std::move(got).error());
    if (got->has_value()) state.input.append(buffer.data(), **got);
    return *got != std::size_t(0);
  }
};

class H1ClientBody final : public BodyStream {
 public:
  explicit H1ClientBody(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  Task<Result<std::optional<Segments>>> next() override {
    for (;;) {
      std::string bytes = exchange_->parser.take_body();
      if (!bytes.empty()) {
        Segments segments{std::make_shared<const std::string>(std::move(bytes))};
        co_return std::optional<Segments>(std::move(segments));
      }
      if (done_) co_return std::optional<Segments>();
      auto parsed = co_await exchange_->advance();
      if (!parsed) co_return fail(std::move(parsed).error());
      if (*parsed == Parsed::done) {
        done_ = true;
        exchange_->turn.leave(exchange_->parser.keep_alive());
      }
    }
  }

 private:
  std::unique_ptr<Exchange> exchange_;
  bool done_ = false;
};

std::string head_of(const Request& request, std::string_view authority) {
  std::string head(request.method == Method::unknown ? request.method_text
                                                     : method_name(request.method));
  head.append(" ").append(request.target).append(" HTTP/1.1\r\n");
  if (!request.headers.contains("Host")) head.append("Host: ").append(authority).append("\r\n");
  for (const auto& [name, value] : request.headers) {
    const bool framing = equal_ignoring_case(name, "Content-Length") ||
                         equal_ignoring_case(name, "Transfer-Encoding");
    if (!framing) head.append(name).append(": ").append(value).append("\r\n");
  }
  const bool may_carry = request.method == Method::post || request.method == Method::put ||
                         request.method == Method::patch;
  if (may_carry || !request.body.empty()) {
    head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  head += "\r\n";
  return head;
}

class H1Client final : public ClientSession {
 public:
  H1Client(const ClientSessionOptions& options, std::unique_ptr<ByteStream> stream)
      : state_(std::make_shared<State>(options.executor, std::move(stream))),
        authority_(options.authority) {}
  ~H1Client() override { state_->end(); }

  Task<Result<Response>> open(Request request) override {
    auto exchange = co_await begin(std::move(request));
    if (!exchange) co_return fail(std::move(exchange).error());
    Response response = head_of_answer(**exchange);
    response.body = std::make_unique<H1ClientBody>(std::move(*exchange));
    co_return response;
  }

  Task<Result<Upgraded>> upgrade(Request request) override {
    auto exchange = co_await begin(std::move(request));
    if (!exchange) co_return fail(std::move(exchange).error());
    Upgraded upgraded;
    upgraded.response = head_of_answer(**exchange);
    if (upgraded.response.status != 101) {
      constexpr std::size_t refusal_bytes_max = 1024 * 1024;
      Body body = std::make_unique<H1ClientBody>(std::move(*exchange));
      auto text = co_await collect_body(std::move(body), refusal_bytes_max);
      if (!text) co_return fail(std::move(text).error());
      upgraded.response.body = std::move(*text);
      co_return upgraded;
    }
    State& state = *state_;
    upgraded.stream = make_prefixed_stream(std::move(state.input), std::move(state.stream));
    (*exchange)->turn.leave(false);
    co_return upgraded;
  }

  bool alive() const override { return state_->alive; }
  void close() override { state_->end(); }
  Task<> wait_closed() override { co_return; }

 private:
  // Sends the request and reads the head of its answer.
  Task<Result<std::unique_ptr<Exchange>>> begin(Request request) {
    const auto state = state_;
    while (state->busy && state->alive) co_await state->freed.wait();
    if (!state->alive) co_return fail(Code::unavailable, "the connection is closed");
    auto exchange = std::make_unique<Exchange>(Turn(state), request.method == Method::head);
    const std::string head = head_of(request, authority_);
    const std::string_view parts[] = {head, request.body};
    auto written = co_await state->stream->write_all(parts);
    // A server that refuses a body may answer and close before it read all.
    auto parsed = co_await exchange->advance();
    if (!parsed) co_return fail(written ? parsed.error() : written.error());
    co_return exchange;
  }

  static Response head_of_answer(Exchange& exchange) {
    Response response;
    response.status = exchange.parser.status();
    response.headers = exchange.parser.headers();
    return response;
  }

  std::shared_ptr<State> state_;
  std::string authority_;
};

}  // namespace

std::shared_ptr<ClientSession> make_h1_client(const ClientSessionOptions& options,
                                              std::unique_ptr<ByteStream> stream) {
  return std::make_shared<H1Client>(options, std::move(stream));
}

}  // namespace koi::http
