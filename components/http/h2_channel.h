#pragma once

#include <nghttp2/nghttp2.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/task.h"
#include "http/byte_stream.h"
#include "http/output_queue.h"

// HTTP/2 frames between an nghttp2 session and a stream: what client and server share. For this
// component's sources.
namespace koi::http {

// The body bytes that a stream has yet to send.
struct H2Body {
  std::deque<Segment> segments;
  std::size_t offset = 0;  // into the first segment
  std::size_t bytes = 0;
  bool finished = false;           // nothing will be added
  bool broken = false;             // the stream is to be reset
  base::Event* drained = nullptr;  // notified when few bytes are left

  void add(Segment segment);
};

class H2Channel {
 public:
  H2Channel(const base::Executor& executor, ByteStream& stream, bool is_server);
  virtual ~H2Channel();
  H2Channel(const H2Channel&) = delete;
  H2Channel& operator=(const H2Channel&) = delete;

 protected:
  struct FreeSession {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  // What the other end sent, as nghttp2 reports it. An int result is 0 or an nghttp2 error.
  virtual int on_begin(std::int32_t id) = 0;
  virtual int on_header(std::int32_t id, std::string_view name, std::string_view value) = 0;
  // A whole frame other than DATA in part; flags as on the wire.
  virtual int on_frame(const nghttp2_frame& frame) = 0;
  virtual int on_data(std::int32_t id, std::string_view bytes) = 0;
  virtual int on_close(std::int32_t id, std::uint32_t error_code) = 0;
  // The writer waits for the stream to take more; or it does no longer.
  virtual void on_stalled(bool stalled) = 0;

  // Feeds bytes from the other end. Fails when the connection cannot go on; what explains it to
  // the other end is queued.
  base::Result<> receive(std::string_view bytes);
  // Has the writer look for frames to send, soon.
  void flush_soon();
  // The same at once, unless the writer waits for the stream. Fails when the stream is broken.
  base::Result<> flush_now();
  // Sends frames until the session is over.
  base::Task<> write_loop();
  bool is_over() const;

  nghttp2_data_provider provider(H2Body& body);
  // Fields for nghttp2; names are made lower case. Views must live until they are submitted.
  class Fields;

  ByteStream& stream_;
  std::unique_ptr<nghttp2_session, FreeSession> session_;

 private:
  struct Callbacks;
  friend struct Callbacks;
  void pump();
  base::Result<> write_some();

  OutputQueue output_;
  base::Event wake_;
  bool writer_blocked_ = false;
};

class H2Channel::Fields {
 public:
  // For at most this many fields.
  explicit Fields(std::size_t count);
  void add(std::string_view name, std::string_view value);
  const nghttp2_nv* data() const { return fields_.data(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<std::string> lowered_;  // never grows: fields point into it
  std::vector<nghttp2_nv> fields_;
};

// Fields that HTTP/2 forbids.
bool is_h1_only(std::string_view name);

}  // namespace koi::http
