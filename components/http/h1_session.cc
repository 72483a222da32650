#include <charconv>

#include "base/event.h"
#include "http/deadline.h"
#include "http/h1_parser.h"
#include "http/prefixed_stream.h"
#include "http/session.h"

namespace koi::http {

namespace {

using base::Result;
using base::Task;
using Views = std::vector<std::string_view>;

// A handler that takes longer is told when the client goes away; watching for that costs.
constexpr auto quick_answer = std::chrono::seconds(1);
constexpr auto linger_timeout = std::chrono::seconds(2);
// Heads are built in one string, which is kept between responses unless it grew beyond this.
constexpr std::size_t kept_head_bytes_max = 2 * 1024;

constexpr std::size_t kept_input_bytes_max = 1024;

bool is_bodiless(int status) { return status / 100 == 1 || status == 204 || status == 304; }

// Fields that the server writes itself.
bool is_ours(std::string_view name) {
  return equal_ignoring_case(name, "Content-Length") || equal_ignoring_case(name, "Date") ||
         equal_ignoring_case(name, "Transfer-Encoding") || equal_ignoring_case(name, "Connection");
}

void push_back(Views& views, const Segment& segment) {
  if (segment) views.push_back(*segment);
}

void append_number(std::string& text, std::size_t number, int base) {
  char digits[24];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number, base).ptr;
  text.append(digits, end);
}

// HTTP/1.0 and 1.1: one request after the other; what a client sends ahead waits.
class H1Session final : public Session {
 public:
  H1Session(Connection& connection, std::string already_read)
      : connection_(connection),
        context_(connection.context),
        stream_(*connection.stream),
        watchdog_(context_.clock, connection.tasks, [this] { on_deadline(); }),
        parser_(context_.options.header_bytes_max),
        input_(std::move(already_read)),
        monitor_ended_(context_.executor) {}

  Task<> run() override;
  Task<> finish() override { co_await end_monitor(); }
  void drain() override;

 private:
  enum class Got { request, end, refused };

  Task<Got> read_request();
  Parsed parse(std::string_view& input);
  bool fill(Result<std::optional<std::size_t>> got);
  Task<> refuse();
  Task<bool> respond(Response response);
  Task<bool> send(Views views);
  Task<bool> send_stream(BodyStream& body);
  Task<> take_over(Response response);
  void on_deadline();
  void start_monitor();
  Task<> monitor();
  Task<> end_monitor();
  void build_head(const Response& response, bool close);
  void append_framing(const Response& response, bool close);
  void stop_now() {
    if (connection_.stream) connection_.stream->close();
  }

  Connection& connection_;
  ServerContext& context_;
  ByteStream& stream_;
  Watchdog watchdog_;
  H1RequestParser parser_;
  std::string input_;  // read but not parsed
  std::string head_;
  base::Event monitor_ended_;
  std::unique_ptr<base::TaskGroup> monitor_tasks_;
  bool monitoring_ = false;  // another task waits for input or the end of it
  bool handling_ = false;
  bool wants_continue_ = false;
  bool draining_ = false;
  bool reading_ = false;
  bool streaming_ = false;
};

void H1Session::drain() {
  draining_ = true;
  if (streaming_) connection_.tasks.cancel();
  if (reading_ && !parser_.begun() && input_.empty()) stop_now();
}

Task<> H1Session::run() {
  for (;;) {
    const Got got = co_await read_request();
    if (got == Got::refused) co_await refuse();
    if (got != Got::request) break;
    Request& request = parser_.request();
    request.peer = connection_.peer;
    handling_ = true;
    watchdog_.arm(quick_answer);
    Response response = co_await call_handler(context_, request);
    handling_ = false;
    watchdog_.disarm();
    if (response.upgrade) {
      co_await take_over(std::move(response));
      break;
    }
    if (!co_await respond(std::move(response))) break;
    if (!parser_.keep_alive() || draining_) break;
    parser_.reset();
  }
  watchdog_.stop();
  if (connection_.stream) connection_.stream->close();
}

// Parses what there is and judges the head once it is complete.
Parsed H1Session::parse(std::string_view& input) {
  const Parsed parsed = parser_.feed(input);
  if (parsed != Parsed::head) return parsed;
  const std::size_t body_bytes_max = context_.handler.body_bytes_max(parser_.request());
  parser_.limit_body(body_bytes_max);
  if (parser_.content_length().value_or(0) > body_bytes_max) {
    parser_.fail(413, "the body is larger than " + std::to_string(body_bytes_max) + " bytes");
    return Parsed::failed;
  }
  wants_continue_ = parser_.has_body() && parser_.expects_continue() && input.empty();
  return parser_.feed(input);
}

// Parses what was read; keeps what is left over. False at the end of the stream.
bool H1Session::fill(Result<std::optional<std::size_t>> got) {
  if (!got || *got == std::size_t(0)) return false;
  if (got->has_value()) input_.append(context_.scratch.data(), **got);
  return true;
}

Task<H1Session::Got> H1Session::read_request() {
  reading_ = true;
  bool timed = false;
  for (;;) {
    std::string_view input = input_;
    const Parsed parsed = parse(input);
    input_.erase(0, input_.size() - input.size());
    if (parsed == Parsed::failed) co_return Got::refused;
    if (parsed == Parsed::done) break;
    if (wants_continue_) {
      wants_continue_ = false;
      Views views{"HTTP/1.1 100 Continue\r\n\r\n"};
      if (!co_await send(std::move(views))) co_return Got::end;
    }
    if (!parser_.begun()) {
      if (draining_) co_return Got::end;
      if (input_.empty() && input_.capacity() > kept_input_bytes_max) input_ = std::string();
      watchdog_.arm(context_.options.idle_timeout);
    } else if (!timed) {
      timed = true;
      watchdog_.arm(context_.options.read_timeout);
    }
    if (monitoring_) {
      while (monitoring_) co_await monitor_ended_.wait();
      continue;
    }
    auto ready = co_await stream_.wait_readable();
    if (!ready) co_return Got::end;
    if (!fill(stream_.try_read(context_.scratch))) co_return Got::end;
  }
  reading_ = false;
  co_return Got::request;
}

// Answers what cannot be parsed, then reads on for a while: closing a socket with unread bytes
// would take the answer away from the client.
Task<> H1Session::refuse() {
  Response response = context_.handler.refuse(parser_.status(), parser_.why());
  build_head(response, true);
  const std::string body = body_text(response.body);
  Views views{head_, body};
  if (!co_await send(std::move(views))) co_return;
  auto ended = co_await stream_.shutdown_write();
  watchdog_.arm(linger_timeout);
  while (ended && !monitoring_) {
    ended = co_await stream_.wait_readable();
    auto got = stream_.try_read(context_.scratch);
    if (!got || *got == std::size_t(0)) break;
  }
}

void H1Session::append_framing(const Response& response, bool close) {
  const bool streams = std::holds_alternative<std::unique_ptr<BodyStream>>(response.body);
  const bool head_only = parser_.request().method == Method::head;
  const auto told = response.headers.find("Content-Length");
  if (is_bodiless(response.status)) {
    // No length: there is no body.
  } else if (head_only && told) {
    head_.append("Content-Length: ").append(*told).append("\r\n");
  } else if (!streams) {
    head_ += "Content-Length: ";
    append_number(head_, body_size(response.body), 10);
    head_ += "\r\n";
  } else if (parser_.request().version >= 11) {
    head_ += "Transfer-Encoding: chunked\r\n";
  }
  if (close) {
    head_ += "Connection: close\r\n";
  } else if (parser_.request().version < 11) {
    head_ += "Connection: keep-alive\r\n";
  }
}

void H1Session::build_head(const Response& response, bool close) {
  if (head_.capacity() > kept_head_bytes_max) head_ = std::string();
  head_.clear();
  head_ += "HTTP/1.1 ";
  append_number(head_, static_cast<std::size_t>(response.status), 10);
  head_ += ' ';
  head_ += reason_phrase(response.status);
  head_ += "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (is_ours(name)) continue;
    head_.append(name).append(": ").append(value).append("\r\n");
  }
  head_.append("Date: ").append(context_.date()).append("\r\n");
  if (response.upgrade) {
    const auto connection = response.headers.find("Connection");
    if (connection) head_.append("Connection: ").append(*connection).append("\r\n");
  } else {
    append_framing(response, close);
  }
  head_ += "\r\n";
}

Task<bool> H1Session::respond(Response response) {
  auto* body_stream = std::get_if<std::unique_ptr<BodyStream>>(&response.body);
  const bool old_client = parser_.request().version < 11;
  const bool close = !parser_.keep_alive() || draining_ || (body_stream != nullptr && old_client);
  build_head(response, close);
  Views views{head_};
  const bool head_only = parser_.request().method == Method::head || is_bodiless(response.status);
  if (!head_only) {
    if (const auto* text = std::get_if<std::string>(&response.body)) views.push_back(*text);
    if (const auto* shared = std::get_if<Segment>(&response.body)) push_back(views, *shared);
    if (const auto* segments = std::get_if<Segments>(&response.body)) {
      for (const Segment& segment : *segments) push_back(views, segment);
    }
  }
  if (!co_await send(std::move(views))) co_return false;
  if (body_stream != nullptr && !head_only) {
    if (!co_await send_stream(**body_stream)) co_return false;
  }
  co_return !close;
}

Task<bool> H1Session::send(Views views) {
  std::span<std::string_view> rest(views);
  for (;;) {
    auto taken = stream_.try_write(rest);
    if (!taken) co_return false;
    std::size_t left = *taken;
    while (!rest.empty() && left >= rest.front().size()) {
      left -= rest.front().size();
      rest = rest.subspan(1);
    }
    if (!rest.empty()) rest.front().remove_prefix(left);
    if (rest.empty() && !stream_.has_unsent()) break;
    watchdog_.arm(context_.options.write_timeout);
    auto ready = co_await stream_.wait_writable();
    if (!ready) co_return false;
  }
  watchdog_.disarm();
  co_return true;
}

Task<bool> H1Session::send_stream(BodyStream& body) {
  const bool chunked = parser_.request().version >= 11;
  start_monitor();
  streaming_ = true;
  std::string size_line;
  for (;;) {
    auto next = co_await body.next();
    if (!next) co_return false;
    if (!next->has_value()) break;
    Views views{std::string_view()};
    std::size_t bytes = 0;
    for (const Segment& segment : **next) {
      if (segment) bytes += segment->size();
      push_back(views, segment);
    }
    if (bytes == 0) continue;
    size_line.clear();
    append_number(size_line, bytes, 16);
    size_line += "\r\n";
    if (chunked) {
      views.front() = size_line;
      views.push_back("\r\n");
    }
    if (!co_await send(std::move(views))) co_return false;
  }
  streaming_ = false;
  Views last;
  if (chunked) last.push_back("0\r\n\r\n");
  co_return co_await send(std::move(last));
}

void H1Session::on_deadline() {
  if (handling_) {
    start_monitor();
  } else {
    stop_now();
  }
}

void H1Session::start_monitor() {
  if (monitoring_ || !input_.empty()) return;
  if (!monitor_tasks_) monitor_tasks_ = std::make_unique<base::TaskGroup>(context_.executor);
  monitoring_ = true;
  monitor_tasks_->spawn("http.monitor", monitor());
}

Task<> H1Session::end_monitor() {
  if (!monitor_tasks_) co_return;
  monitor_tasks_->cancel();
  co_await wait_ended(*monitor_tasks_);
  monitoring_ = false;
}

// While a body streams, or a handler takes its time, the end of the input means that nobody waits
// for the answer any more.
Task<> H1Session::monitor() {
  for (;;) {
    auto ready = co_await stream_.wait_readable();
    if (!ready) break;
    auto got = stream_.try_read(context_.scratch);
    if (!got || *got == std::size_t(0)) break;
    if (!got->has_value()) continue;
    input_.append(context_.scratch.data(), **got);
    monitoring_ = false;
    monitor_ended_.notify_all();
    co_return;
  }
  connection_.tasks.cancel();
}

Task<> H1Session::take_over(Response response) {
  build_head(response, false);
  Views views{head_};
  if (!co_await send(std::move(views))) co_return;
  watchdog_.stop();
  co_await end_monitor();
  const auto upgrade = std::move(response.upgrade);
  auto stream = make_prefixed_stream(std::move(input_), std::move(connection_.stream));
  co_await upgrade->run(std::move(stream));
}

}  // namespace

std::unique_ptr<Session> make_h1_session(Connection& connection, std::string already_read) {
  return std::make_unique<H1Session>(connection, std::move(already_read));
}

}  // namespace koi::http
