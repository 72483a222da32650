#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/task.h"

namespace koi::http {

class ByteStream;

enum class Method { get, head, post, put, patch, delete_, options, connect, trace, unknown };

// "GET"; empty for unknown.
std::string_view method_name(Method method);
// Exact, upper case; anything else is unknown.
Method parse_method(std::string_view name);

// The reason phrase of RFC 9110: "Not Found"; "Unknown" for a code without one.
std::string_view reason_phrase(int status);

// True when the texts are equal without regard to ASCII case.
bool equal_ignoring_case(std::string_view left, std::string_view right);

// Header fields in the order they were added; names compare without regard to case and may repeat.
// Kept in one flat buffer: views stay valid until the next change.
class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  class Iterator;

  void add(std::string_view name, std::string_view value);
  // Replaces every field of that name by one.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  void clear();

  // The first value, or nothing.
  std::optional<std::string_view> find(std::string_view name) const;
  // The first value, or "".
  std::string_view get(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).has_value(); }
  // Whether the comma-separated list in all fields of that name holds the token.
  bool has_token(std::string_view name, std::string_view token) const;

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  Field operator[](std::size_t index) const;
  Iterator begin() const;
  Iterator end() const;

 private:
  struct Entry {
    std::uint32_t name_at;
    std::uint32_t name_size;
    std::uint32_t value_at;
    std::uint32_t value_size;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
};

class Headers::Iterator {
 public:
  Iterator(const Headers& headers, std::size_t index) : headers_(&headers), index_(index) {}
  Field operator*() const { return (*headers_)[index_]; }
  Iterator& operator++() {
    ++index_;
    return *this;
  }
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  const Headers* headers_;
  std::size_t index_;
};

// Who a client certificate says it is; its chain was verified against the server's client CAs.
struct ClientIdentity {
  std::string common_name;
  std::vector<std::string> organizations;
  std::string certificate_sha256;  // hex, of the DER bytes
};

// The other end of a connection. Shared by all requests of it, constant.
struct Peer {
  std::string address;  // "10.0.0.7:41234", "[fd00::1]:80", "unix", or a memory stream's name
  bool tls = false;
  std::optional<ClientIdentity> identity;
  // A certificate came that could not be verified: why. The request must be answered with 401
  // rather than be treated as anonymous. Empty: none came, or it is good.
  std::string certificate_error;
};

struct Request {
  Method method = Method::get;
  std::string method_text;   // set only when method is unknown
  std::string target = "/";  // path and query as sent
  Headers headers;           // HTTP/2: ":authority" is "host"; names as sent
  std::string body;
  std::shared_ptr<const Peer> peer;  // never null in a handler
  int version = 11;                  // 10, 11 or 20

  // The target up to '?', still percent-encoded.
  std::string_view path() const;
  // What follows '?', still encoded.
  std::string_view query() const;
};

// Bytes that several responses share without copying.
using Segment = std::shared_ptr<const std::string>;
using Segments = std::vector<Segment>;

// A response body that grows over time (a watch, a followed log).
class BodyStream {
 public:
  virtual ~BodyStream() = default;

  // Everything that is ready (at least one segment, sent as one write), or nothing at the end.
  // A failure breaks the message off, so that the receiver sees it is incomplete. Throws
  // operation_aborted when the receiver goes away; the stream is then destroyed.
  virtual base::Task<base::Result<std::optional<Segments>>> next() = 0;
};

// A handler's takeover of an HTTP/1.1 connection after its 101 (or CONNECT 200) was sent.
class Upgrade {
 public:
  virtual ~Upgrade() = default;

  // Owns the stream; the connection ends when this returns. Cancelled when the server stops.
  virtual base::Task<> run(std::unique_ptr<ByteStream> stream) = 0;
};

using Body = std::variant<std::string, Segment, Segments, std::unique_ptr<BodyStream>>;

// Content-Length, Transfer-Encoding, Connection and Date are the server's; a handler of HEAD
// answers as for GET and the body is left out.
struct Response {
  int status = 200;
  Headers headers;
  Body body;
  std::unique_ptr<Upgrade> upgrade;  // with status 101 or, for CONNECT, 200

  // A whole body of this type.
  static Response text(int status, std::string body,
                       std::string_view content_type = "text/plain; charset=utf-8");
};

// Bytes of a body that is not a stream.
std::size_t body_size(const Body& body);
// The bytes of a body that is not a stream, copied together.
std::string body_text(const Body& body);

}  // namespace koi::http
