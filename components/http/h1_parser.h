#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

// HTTP/1.x messages out of bytes, without I/O. For this component's sources.
namespace koi::http {

enum class Parsed {
  more,    // all that can be used was used: add bytes behind what is left and feed again
  head,    // the head is there; feed again for the body
  done,    // the message is complete
  failed,  // see status() and why(); the connection cannot go on
};

// Reads one request at a time; strict where requests can be smuggled: a length and an encoding, two
// lengths, an encoding that is not exactly chunked, no or several hosts.
class H1RequestParser {
 public:
  explicit H1RequestParser(std::size_t header_bytes_max);
  ~H1RequestParser();
  H1RequestParser(const H1RequestParser&) = delete;
  H1RequestParser& operator=(const H1RequestParser&) = delete;

  // Uses bytes from the front of the input and cuts them off.
  Parsed feed(std::string_view& input);
  // Once the head is there: more bytes of body fail with 413.
  void limit_body(std::size_t bytes_max);
  // Of the body, when the client told.
  std::optional<std::uint64_t> content_length() const;
  bool has_body() const;
  bool keep_alive() const;
  bool expects_continue() const;
  // Any byte of the message was seen.
  bool begun() const { return begun_; }

  // The message so far: complete after done.
  Request& request() { return request_; }
  // After failed.
  int status() const { return status_; }
  const std::string& why() const { return why_; }
  // Makes the message a failed one.
  void fail(int status, std::string why) { refuse(status, std::move(why)); }

  // Gets ready for the next message.
  void reset();

 private:
  struct Parser;
  Parsed refuse(int status, std::string why);
  Parsed judge_head();
  std::size_t header_bytes_max_;
  Request request_;
  int status_ = 0;
  std::string why_;
  bool begun_ = false;
  std::size_t head_bytes_ = 0;
  std::unique_ptr<Parser> parser_;
};

// Reads one response. Heads of 1xx other than 101 are skipped.
class H1ResponseParser {
 public:
  // `bodiless`: the answer to HEAD.
  H1ResponseParser(std::size_t header_bytes_max, bool bodiless);
  ~H1ResponseParser();
  H1ResponseParser(const H1ResponseParser&) = delete;
  H1ResponseParser& operator=(const H1ResponseParser&) = delete;

  Parsed feed(std::string_view& input);
  // The connection ended: done if that is how this message ends, else failed.
  Parsed finish();
  bool keep_alive() const;

  int status() const;
  Headers& headers() { return headers_; }
  // Body bytes that were fed since the last call.
  std::string take_body();
  bool has_body_bytes() const { return !body_.empty(); }
  const std::string& why() const { return why_; }

 private:
  struct Parser;
  Parsed feed_once(std::string_view& input);
  std::size_t header_bytes_max_;
  bool bodiless_;
  Headers headers_;
  std::string body_;
  std::string why_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace koi::http
