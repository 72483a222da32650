#include "http/h2_channel.h"

#include <algorithm>

#include "base/check.h"

namespace koi::http {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

// Frames are made only while less than this waits to be written.
constexpr std::size_t output_bytes_max = 128 * 1024;
// A body with fewer bytes left asks for more.
constexpr std::size_t body_bytes_low = 32 * 1024;

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

struct FreeCallbacks {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};
struct FreeOption {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};

}  // namespace

void H2Body::add(Segment segment) {
  if (!segment || segment->empty()) return;
  bytes += segment->size();
  segments.push_back(std::move(segment));
}

struct H2Channel::Callbacks {
  static H2Channel& channel(void* user_data) { return *static_cast<H2Channel*>(user_data); }

  static int begin(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    return channel(user_data).on_begin(frame->hd.stream_id);
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void* user_data) {
    return channel(user_data).on_header(frame->hd.stream_id, view(name, name_size),
                                        view(value, value_size));
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    return channel(user_data).on_frame(*frame);
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                  std::size_t size, void* user_data) {
    return channel(user_data).on_data(id, view(bytes, size));
  }

  static int close(nghttp2_session*, std::int32_t id, std::uint32_t error_code, void* user_data) {
    return channel(user_data).on_close(id, error_code);
  }

  // How much of the body the next frame may carry; its bytes are taken by send_data.
  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const auto& body = *static_cast<const H2Body*>(source->ptr);
    if (body.broken) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (body.bytes == 0 && !body.finished) return NGHTTP2_ERR_DEFERRED;
    const std::size_t part = std::min(size, body.bytes);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (body.finished && part == body.bytes) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(part);
  }

  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source* source, void* user_data) {
    constexpr std::size_t head_bytes = 9;
    auto& body = *static_cast<H2Body*>(source->ptr);
    OutputQueue& output = channel(user_data).output_;
    CHECK_THAT(frame->data.padlen == 0, "a frame with padding was made");
    output.append(view(head, head_bytes));
    body.bytes -= size;
    while (size > 0) {
      const Segment& segment = body.segments.front();
      const std::string_view rest = std::string_view(*segment).substr(body.offset);
      const std::string_view part = rest.substr(0, size);
      output.append(segment, part);
      size -= part.size();
      body.offset += part.size();
      if (body.offset == segment->size()) {
        body.segments.pop_front();
        body.offset = 0;
      }
    }
    if (body.drained != nullptr && body.bytes < body_bytes_low) body.drained->notify_all();
    return 0;
  }
};

H2Channel::H2Channel(const base::Executor& executor, ByteStream& stream, bool is_server)
    : stream_(stream), wake_(executor) {
  nghttp2_session_callbacks* made = nullptr;
  nghttp2_option* made_option = nullptr;
  CHECK_THAT(nghttp2_session_callbacks_new(&made) == 0 && nghttp2_option_new(&made_option) == 0,
             "out of memory");
  const std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks> callbacks(made);
  const std::unique_ptr<nghttp2_option, FreeOption> option(made_option);
  nghttp2_session_callbacks_set_on_begin_headers_callback(made, Callbacks::begin);
  nghttp2_session_callbacks_set_on_header_callback(made, Callbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, Callbacks::frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, Callbacks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, Callbacks::close);
  nghttp2_session_callbacks_set_send_data_callback(made, Callbacks::send_data);
  // A client takes bytes from streams at its own pace, a server reads bodies whole.
  if (!is_server) nghttp2_option_set_no_auto_window_update(made_option, 1);
  nghttp2_option_set_no_closed_streams(made_option, 1);
  nghttp2_session* session = nullptr;
  const int error = is_server ? nghttp2_session_server_new2(&session, made, this, made_option)
                              : nghttp2_session_client_new2(&session, made, this, made_option);
  CHECK_THAT(error == 0, "out of memory");
  session_.reset(session);
}

H2Channel::~H2Channel() = default;

Result<> H2Channel::receive(std::string_view bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const ssize_t used = nghttp2_session_mem_recv(session_.get(), data, bytes.size());
  if (used >= 0) return {};
  nghttp2_session_terminate_session(session_.get(), NGHTTP2_PROTOCOL_ERROR);
  return fail(Code::unavailable,
              std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(used)));
}

bool H2Channel::is_over() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0 && output_.size() == 0;
}

void H2Channel::pump() {
  while (output_.size() < output_bytes_max) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
    if (size <= 0) break;
    output_.append(view(data, static_cast<std::size_t>(size)));
  }
}

Result<> H2Channel::write_some() {
  for (;;) {
    pump();
    if (output_.size() == 0) return {};
    const std::vector<std::string_view>& pieces = output_.pieces();
    std::size_t offered = 0;
    for (const auto piece : pieces) offered += piece.size();
    auto taken = stream_.try_write(pieces);
    if (!taken) return fail(std::move(taken).error());
    output_.consume(*taken);
    if (*taken < offered || stream_.has_unsent()) return {};
  }
}

void H2Channel::flush_soon() { wake_.notify_all(); }

Result<> H2Channel::flush_now() {
  if (writer_blocked_) return {};
  auto written = write_some();
  if (written && (output_.size() > 0 || stream_.has_unsent() || is_over())) flush_soon();
  return written;
}

Task<> H2Channel::write_loop() {
  for (;;) {
    auto written = write_some();
    if (!written) break;
    if (output_.size() > 0 || stream_.has_unsent()) {
      writer_blocked_ = true;
      on_stalled(true);
      auto ready = co_await stream_.wait_writable();
      writer_blocked_ = false;
      on_stalled(false);
      if (!ready) break;
      continue;
    }
    if (is_over()) co_return;
    co_await wake_.wait();
  }
  stream_.close();
}

nghttp2_data_provider H2Channel::provider(H2Body& body) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &body;
  provider.read_callback = Callbacks::read_body;
  return provider;
}

H2Channel::Fields::Fields(std::size_t count) {
  lowered_.reserve(count);
  fields_.reserve(count);
}

void H2Channel::Fields::add(std::string_view name, std::string_view value) {
  CHECK_THAT(fields_.size() < fields_.capacity(), "more header fields than announced");
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::any_of(name.begin(), name.end(), is_upper)) {
    std::string& lowered = lowered_.emplace_back(name);
    for (char& c : lowered) {
      if (is_upper(c)) c = static_cast<char>(c + 32);
    }
    name = lowered;
  }
  nghttp2_nv field{};
  // nghttp2 copies both while they are submitted; its types lack the const.
  field.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  field.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  field.namelen = name.size();
  field.valuelen = value.size();
  field.flags = NGHTTP2_NV_FLAG_NONE;
  fields_.push_back(field);
}

bool is_h1_only(std::string_view name) {
  return equal_ignoring_case(name, "Connection") || equal_ignoring_case(name, "Keep-Alive") ||
         equal_ignoring_case(name, "Transfer-Encoding") || equal_ignoring_case(name, "Upgrade") ||
         equal_ignoring_case(name, "Proxy-Connection");
}

}  // namespace koi::http
