#include "runtime/shim_protocol.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr Code all_codes[] = {
    Code::internal,     Code::invalid,   Code::not_found, Code::already_exists, Code::conflict,
    Code::unauthorized, Code::forbidden, Code::expired,   Code::too_large,      Code::unavailable,
    Code::timeout,      Code::cancelled, Code::corrupt,   Code::unsupported};

}  // namespace

std::string encode_message(const json::Value& message) {
  const std::string text = json::serialize(message);
  std::string result;
  for (int shift = 24; shift >= 0; shift -= 8) {
    result += static_cast<char>(text.size() >> static_cast<unsigned>(shift) & 0xff);
  }
  return result + text;
}

Result<bool> MessageReader::next(json::Value& message) {
  constexpr std::size_t head = 4;
  if (buffer_.size() < head) return false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < head; ++i) {
    length = length << 8 | static_cast<unsigned char>(buffer_[i]);
  }
  if (length > message_bytes_max) return fail(Code::corrupt, "message is too long");
  if (buffer_.size() < head + length) return false;
  auto value = json::parse(std::string_view(buffer_).substr(head, length));
  if (!value) return fail(Code::corrupt, value.error().message);
  buffer_.erase(0, head + length);
  message = std::move(*value);
  return true;
}

json::Value error_to_json(const base::Error& error) {
  json::Object object;
  object["code"] = base::code_name(error.code);
  object["message"] = error.message;
  return object;
}

base::Error error_from_json(const json::Value& value) {
  base::Error error;
  error.message = std::string(json::string_at(value, {"message"}));
  const std::string_view name = json::string_at(value, {"code"});
  for (const Code code : all_codes) {
    if (base::code_name(code) == name) error.code = code;
  }
  return error;
}

}  // namespace koi::runtime
