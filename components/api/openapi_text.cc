#include "api/openapi_text.h"

namespace koi::api::openapi {

namespace {

constexpr std::size_t piece_bytes = 16 * 1024;

}  // namespace

void JsonText::separate() {
  if (needs_comma_) buffer_ += ',';
  needs_comma_ = false;
}

void JsonText::open(char bracket) {
  separate();
  buffer_ += bracket;
}

void JsonText::close(char bracket) {
  buffer_ += bracket;
  needs_comma_ = true;
  flush_if_full();
}

void JsonText::key(std::string_view name) {
  separate();
  quote(name);
  buffer_ += ':';
}

void JsonText::string(std::string_view text) {
  separate();
  quote(text);
  needs_comma_ = true;
}

void JsonText::raw(std::string_view json) {
  separate();
  buffer_ += json;
  needs_comma_ = true;
}

void JsonText::quote(std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  buffer_ += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      buffer_ += '\\';
      buffer_ += c;
    } else if (c == '\n') {
      buffer_ += "\\n";
    } else if (byte < 0x20) {
      buffer_ += "\\u00";
      buffer_ += hex[byte >> 4U];
      buffer_ += hex[byte & 15U];
    } else {
      buffer_ += c;
    }
  }
  buffer_ += '"';
}

void JsonText::flush_if_full() {
  if (buffer_.size() >= piece_bytes) flush();
}

void JsonText::flush() {
  if (!buffer_.empty()) sink_(buffer_);
  buffer_.clear();
}

}  // namespace koi::api::openapi
