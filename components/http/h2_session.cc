#include <algorithm>
#include <charconv>

#include "base/event.h"
#include "http/deadline.h"
#include "http/h2_channel.h"
#include "http/session.h"

namespace koi::http {

namespace {

using base::Result;
using base::Task;

constexpr auto linger_timeout = std::chrono::seconds(1);
constexpr std::int32_t stream_window_bytes = 256 * 1024;
constexpr std::int32_t connection_window_bytes = 1024 * 1024;
// Bodies that one connection may have waiting, in multiples of the largest one.
constexpr std::size_t held_bodies_max = 8;
// What a client may go on to send of a body that was refused: many read no answer before they have
// sent it all, or take a reset for a failure.
constexpr std::size_t discarded_bytes_max = 16 * 1024 * 1024;
// A streamed body is asked for more while less than this waits for the client.
constexpr std::size_t body_bytes_high = 64 * 1024;

// One request and its answer. Reused for later ones, since a group and an event cost more than
// the rest of a request.
struct Stream {
  explicit Stream(const base::Executor& executor) : tasks(executor), drained(executor) {
    out.drained = &drained;
  }

  std::int32_t id = 0;
  Request request;
  std::size_t header_bytes = 0;
  std::size_t body_bytes_max = 0;
  std::size_t discarded_bytes = 0;
  base::MonoTime begun;
  H2Body out;
  base::TaskGroup tasks;  // the handler
  base::Event drained;
  bool ready = false;  // in the list of those that wait for their handler
  bool head_done = false;
  bool complete = false;   // the client has sent all of it
  bool refused = false;    // answered before that
  bool streaming = false;  // the handler's body stream is being asked
  bool answered = false;   // the whole answer is queued
  bool closed = true;
};

class H2Session final : public Session, private H2Channel {
 public:
  H2Session(Connection& connection, std::string already_read)
      : H2Channel(connection.context.executor, *connection.stream, true),
        connection_(connection),
        context_(connection.context),
        watchdog_(context_.clock, connection.tasks, [this] { on_deadline(); }),
        already_read_(std::move(already_read)) {}

  Task<> run() override;
  Task<> finish() override;
  void drain() override;

 private:
  int on_begin(std::int32_t id) override;
  int on_header(std::int32_t id, std::string_view name, std::string_view value) override;
  int on_frame(const nghttp2_frame& frame) override;
  int on_data(std::int32_t id, std::string_view bytes) override;
  int on_close(std::int32_t id, std::uint32_t error_code) override;
  void on_stalled(bool stalled) override;

  Stream* find(std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
  }
  Stream* acquire();
  void on_head(Stream& stream, bool ended);
  void dispatch(Stream& stream);
  void start_ready();
  Result<> take(std::string_view bytes);
  void refuse(Stream& stream, int status, std::string_view why);
  void submit(Stream& stream, Response& response);
  Task<> serve(Stream& stream);
  Task<> send_stream(Stream& stream, BodyStream& body);
  Task<> writer();
  void release_request(Stream& stream);
  void on_deadline();
  void rearm();
  void reset_overdue();

  Connection& connection_;
  ServerContext& context_;
  Watchdog watchdog_;
  std::string already_read_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<Stream*> ready_;  // complete requests that no handler has seen
  std::size_t active_ = 0;
  std::size_t incomplete_ = 0;
  std::size_t held_bytes_ = 0;
  bool stalled_ = false;
  bool ending_ = false;
};

Task<> H2Session::run() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       static_cast<std::uint32_t>(context_.options.streams_per_connection_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(context_.options.header_bytes_max)},
  };
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        connection_window_bytes);
  rearm();
  connection_.tasks.spawn("http.writer", writer());
  auto going = take(already_read_);
  already_read_ = std::string();
  while (going) {
    auto ready = co_await stream_.wait_readable();
    if (!ready) break;
    auto got = stream_.try_read(context_.scratch);
    if (!got || *got == std::size_t(0)) break;
    if (!got->has_value()) continue;
    going = take({context_.scratch.data(), **got});
  }
  watchdog_.stop();
  stream_.close();
}

Task<> H2Session::writer() {
  co_await write_loop();
  // The session is over: leave the last frames time to arrive before the socket is closed.
  ending_ = true;
  watchdog_.arm(linger_timeout);
  co_await stream_.shutdown_write();
}

Task<> H2Session::finish() {
  for (const auto& stream : streams_) stream->tasks.cancel();
  for (const auto& stream : streams_) co_await wait_ended(stream->tasks);
}

void H2Session::drain() {
  const std::int32_t last = nghttp2_session_get_last_proc_stream_id(session_.get());
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  for (const auto& stream : streams_) {
    if (!stream->streaming) continue;
    stream->tasks.cancel();
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
  }
  flush_soon();
}

Stream* H2Session::acquire() {
  for (const auto& stream : streams_) {
    if (stream->closed && !stream->ready && stream->tasks.size() == 0) return stream.get();
  }
  // Handlers of streams that were reset may still be unwinding; they count too.
  if (streams_.size() >= 2 * context_.options.streams_per_connection_max) return nullptr;
  return streams_.emplace_back(std::make_unique<Stream>(context_.executor)).get();
}

int H2Session::on_begin(std::int32_t id) {
  if (find(id) != nullptr) return 0;  // trailers
  Stream* stream = acquire();
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  stream->id = id;
  stream->request = Request();
  stream->request.version = 20;
  stream->request.peer = connection_.peer;
  stream->header_bytes = stream->discarded_bytes = 0;
  stream->begun = context_.clock.now();
  stream->head_done = stream->complete = stream->refused = false;
  stream->streaming = stream->answered = stream->closed = false;
  stream->out.segments.clear();
  stream->out.offset = stream->out.bytes = 0;
  stream->out.finished = stream->out.broken = false;
  nghttp2_session_set_stream_user_data(session_.get(), id, stream);
  ++active_;
  ++incomplete_;
  return 0;
}

int H2Session::on_header(std::int32_t id, std::string_view name, std::string_view value) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->head_done) return 0;
  Request& request = stream->request;
  stream->header_bytes += name.size() + value.size() + 32;  // as RFC 9113 section 6.5.2 counts
  if (stream->header_bytes > context_.options.header_bytes_max) return 0;
  if (!name.starts_with(':')) {
    request.headers.add(name, value);
  } else if (name == ":method") {
    request.method = parse_method(value);
    if (request.method == Method::unknown) request.method_text = value;
  } else if (name == ":path") {
    request.target = value;
  } else if (name == ":authority") {
    request.headers.add("host", value);
  }
  return 0;
}

int H2Session::on_frame(const nghttp2_frame& frame) {
  const bool carries_message = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
  Stream* stream = carries_message ? find(frame.hd.stream_id) : nullptr;
  if (stream == nullptr || stream->closed) return 0;
  const bool ended = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!stream->head_done) on_head(*stream, ended);
  if (ended && !stream->complete) dispatch(*stream);
  return 0;
}

void H2Session::on_head(Stream& stream, bool ended) {
  stream.head_done = true;
  rearm();
  if (stream.header_bytes > context_.options.header_bytes_max) {
    refuse(stream, 431,
           "the header fields are larger than " +
               std::to_string(context_.options.header_bytes_max) + " bytes");
    return;
  }
  if (ended) return;
  stream.body_bytes_max = context_.handler.body_bytes_max(stream.request);
  const std::string_view told = stream.request.headers.get("content-length");
  std::size_t length = 0;
  std::from_chars(told.data(), told.data() + told.size(), length);
  if (length > stream.body_bytes_max) {
    refuse(stream, 413,
           "the body is larger than " + std::to_string(stream.body_bytes_max) + " bytes");
  } else if (equal_ignoring_case(stream.request.headers.get("expect"), "100-continue")) {
    Fields fields(1);
    fields.add(":status", "100");
    nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, stream.id, nullptr, fields.data(),
                           fields.size(), nullptr);
  }
}

int H2Session::on_data(std::int32_t id, std::string_view bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->complete) return 0;
  if (stream->refused) {
    stream->discarded_bytes += bytes.size();
    const bool enough = stream->discarded_bytes > discarded_bytes_max;
    return enough ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
  }
  if (stream->request.body.size() + bytes.size() > stream->body_bytes_max) {
    refuse(*stream, 413,
           "the body is larger than " + std::to_string(stream->body_bytes_max) + " bytes");
  } else if (held_bytes_ + bytes.size() > held_bodies_max * base::limits::request_body_bytes_max) {
    refuse(*stream, 429, "this connection has too many bodies in flight");
  } else {
    stream->request.body.append(bytes);
    held_bytes_ += bytes.size();
  }
  return 0;
}

int H2Session::on_close(std::int32_t id, std::uint32_t) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->closed) return 0;
  stream->closed = true;
  --active_;
  if (!stream->complete) {
    stream->complete = true;
    --incomplete_;
  }
  stream->out.segments.clear();
  stream->out.bytes = 0;
  if (stream->tasks.size() == 0) {
    release_request(*stream);
  } else if (!stream->answered) {
    stream->tasks.cancel();
  }
  if (active_ == 0 || incomplete_ > 0) rearm();
  return 0;
}

void H2Session::on_stalled(bool stalled) {
  stalled_ = stalled;
  rearm();
}

void H2Session::rearm() {
  if (ending_) return;
  if (stalled_) {
    watchdog_.arm(context_.options.write_timeout);
  } else if (active_ == 0) {
    watchdog_.arm(context_.options.idle_timeout);
  } else if (incomplete_ > 0) {
    watchdog_.arm(context_.options.read_timeout);
  } else {
    watchdog_.disarm();
  }
}

void H2Session::on_deadline() {
  if (ending_ || stalled_) {
    stream_.close();
  } else if (active_ == 0) {
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_NO_ERROR);
    flush_soon();
  } else {
    reset_overdue();
    rearm();
  }
}

void H2Session::reset_overdue() {
  const base::MonoTime latest = context_.clock.now() - context_.options.read_timeout;
  for (const auto& stream : streams_) {
    if (stream->closed || stream->complete || stream->begun > latest) continue;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
  }
  flush_soon();
}

void H2Session::dispatch(Stream& stream) {
  stream.complete = true;
  --incomplete_;
  if (incomplete_ == 0) rearm();
  if (stream.refused) return;
  stream.ready = true;
  ready_.push_back(&stream);
}

// A task begins to run when it is spawned, and must not send frames from within nghttp2.
void H2Session::start_ready() {
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    Stream& stream = *ready_[i];
    stream.ready = false;
    if (!stream.closed) stream.tasks.spawn("http.stream", serve(stream));
  }
  ready_.clear();
}

base::Result<> H2Session::take(std::string_view bytes) {
  auto taken = receive(bytes);
  start_ready();
  auto flushed = flush_now();
  return taken ? flushed : taken;
}

void H2Session::refuse(Stream& stream, int status, std::string_view why) {
  stream.refused = true;
  Response response = context_.handler.refuse(status, why);
  release_request(stream);
  submit(stream, response);
  stream.answered = true;
}

void H2Session::release_request(Stream& stream) {
  held_bytes_ -= std::min(held_bytes_, stream.request.body.size());
  stream.request.body = std::string();
}

void H2Session::submit(Stream& stream, Response& response) {
  char status[4] = {};
  const int code = std::clamp(response.status, 200, 599);
  std::to_chars(std::begin(status), std::end(status), code);
  Fields fields(response.headers.size() + 3);
  fields.add(":status", std::string_view(status, 3));
  const bool head_only = stream.request.method == Method::head;
  const bool streams = std::holds_alternative<std::unique_ptr<BodyStream>>(response.body);
  const bool bodiless = code == 204 || code == 304;
  const auto told = response.headers.find("Content-Length");
  const std::string length = std::to_string(body_size(response.body));
  if (head_only && told) {
    fields.add("content-length", *told);
  } else if (!streams && !bodiless) {
    fields.add("content-length", length);
  }
  fields.add("date", context_.date());
  for (const auto& [name, value] : response.headers) {
    const bool ours = is_h1_only(name) || equal_ignoring_case(name, "Content-Length") ||
                      equal_ignoring_case(name, "Date");
    if (!ours) fields.add(name, value);
  }
  H2Body& out = stream.out;
  if (auto* text = std::get_if<std::string>(&response.body)) {
    if (!text->empty()) out.add(std::make_shared<const std::string>(std::move(*text)));
  } else if (auto* shared = std::get_if<Segment>(&response.body)) {
    out.add(std::move(*shared));
  } else if (auto* segments = std::get_if<Segments>(&response.body)) {
    for (Segment& segment : *segments) out.add(std::move(segment));
  }
  out.finished = !streams;
  const bool empty = head_only || bodiless || (out.finished && out.bytes == 0);
  auto body = provider(out);
  nghttp2_submit_response(session_.get(), stream.id, fields.data(), fields.size(),
                          empty ? nullptr : &body);
}

Task<> H2Session::serve(Stream& stream) {
  Response response = co_await call_handler(context_, stream.request);
  if (response.upgrade || response.status < 200) {
    response = context_.handler.refuse(501, "HTTP/2 connections cannot be upgraded");
  }
  release_request(stream);
  if (stream.closed) co_return;
  auto* body = std::get_if<std::unique_ptr<BodyStream>>(&response.body);
  const bool streams = body != nullptr && stream.request.method != Method::head;
  stream.answered = !streams;
  submit(stream, response);
  if (streams) {
    flush_soon();
    co_await send_stream(stream, **body);
    co_return;
  }
  // Alone, the answer may as well go at once; several are put into one write.
  if (active_ > 1) {
    flush_soon();
  } else if (!flush_now()) {
    stream_.close();
  }
}

Task<> H2Session::send_stream(Stream& stream, BodyStream& body) {
  stream.streaming = true;
  while (!stream.closed) {
    auto next = co_await body.next();
    if (stream.closed) break;
    if (next && next->has_value()) {
      for (Segment& segment : **next) stream.out.add(std::move(segment));
    } else {
      stream.out.finished = next.has_value();
      stream.out.broken = !next.has_value();
      stream.answered = true;
    }
    nghttp2_session_resume_data(session_.get(), stream.id);
    flush_soon();
    if (stream.answered) break;
    while (!stream.closed && stream.out.bytes > body_bytes_high) co_await stream.drained.wait();
  }
  stream.streaming = false;
}

}  // namespace

std::unique_ptr<Session> make_h2_session(Connection& connection, std::string already_read) {
  return std::make_unique<H2Session>(connection, std::move(already_read));
}

}  // namespace koi::http
