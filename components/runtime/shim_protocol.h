#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"

// How agent and shim talk over the pod's socket: each message is a length in four bytes, most
// significant first, and that many bytes of JSON. Requests are {"id", "op", ...}; each is answered
// by {"id", "result"} or {"id", "error": {"code", "message"}}; {"event", ...} comes unasked.
namespace koi::runtime {

inline constexpr std::size_t message_bytes_max = 4 * 1024 * 1024;
inline constexpr std::int64_t protocol_version = 1;

std::string encode_message(const json::Value& message);

// Takes bytes as they come and gives whole messages.
class MessageReader {
 public:
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message; false when more bytes are needed. Fails with corrupt on an over-long
  // one or on what is no JSON: the connection is then of no more use.
  base::Result<bool> next(json::Value& message);

 private:
  std::string buffer_;
};

json::Value error_to_json(const base::Error& error);
base::Error error_from_json(const json::Value& value);

}  // namespace koi::runtime
