#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "http/byte_stream.h"

namespace koi::http {

// Header fields in the order they came. Names compare without case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  // The first value of a field; empty when absent.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  // Every value of a field, in order.
  std::vector<std::string_view> all(std::string_view name) const;
  void set(std::string_view name, std::string value);  // replaces
  void add(std::string_view name, std::string value);  // appends
  void erase(std::string_view name);

  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

// Who is at the other end of a connection.
struct Peer {
  std::string address;  // IP without port; "unix" for a local socket
  // From the client certificate that was verified against the client CA; empty without one.
  std::string common_name;
  std::vector<std::string> organizations;
  // Why a certificate that was shown is not accepted; empty when none was, or it was.
  std::string certificate_error;
};

struct Request {
  std::string method;
  std::string target;  // path and query, as sent
  Headers headers;
  std::string body;
  Peer peer;

  std::string_view path() const;   // still percent-encoded, without the query
  std::string_view query() const;  // behind the '?', without it
};

// Bytes that many responses share: sent without being copied.
using Segment = std::shared_ptr<const std::string>;

// A body that is made while it is sent: watches, followed logs.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // What is ready, at least one byte; nullopt at the end. Cancelled when the client goes away. A
  // failure ends the response without its proper end, so that the client notices.
  virtual base::Task<base::Result<std::optional<std::vector<Segment>>>> next() = 0;
};

using Body = std::variant<std::string, std::vector<Segment>, std::unique_ptr<BodyStream>>;

struct Response {
  int status = 200;
  Headers headers;  // content-length, date and connection are the server's
  Body body;
  // With status 101: called once the response is sent, with the connection. HTTP/1.1 only.
  std::function<base::Task<>(std::unique_ptr<ByteStream>)> upgrade;
};

// Answers requests. Called on the connection's executor; cancelled when the client goes away.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual base::Task<Response> handle(Request& request) = 0;
};

// The standard phrase of a status code.
std::string_view reason_phrase(int status);

// The whole body as one string; fails with too_large above the bound.
base::Task<base::Result<std::string>> read_body(Body& body, std::size_t bytes_max);

}  // namespace koi::http
