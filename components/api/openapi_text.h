#pragma once

#include <string>
#include <string_view>

#include "api/openapi.h"

namespace koi::api::openapi {

// Writes JSON text in order, with the commas where they belong, and hands it on in pieces. The
// caller opens and closes in pairs.
class JsonText {
 public:
  explicit JsonText(const TextSink& sink) : sink_(sink) {}
  ~JsonText() { flush(); }
  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;

  void open_object() { open('{'); }
  void close_object() { close('}'); }
  void open_array() { open('['); }
  void close_array() { close(']'); }
  void key(std::string_view name);
  void string(std::string_view text);
  void boolean(bool value) { raw(value ? "true" : "false"); }
  // JSON text that is already well-formed.
  void raw(std::string_view json);

  void open_object(std::string_view name) { key(name), open_object(); }
  void open_array(std::string_view name) { key(name), open_array(); }
  void member(std::string_view name, std::string_view text) { key(name), string(text); }

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void quote(std::string_view text);
  void flush();
  void flush_if_full();

  const TextSink& sink_;
  std::string buffer_;
  bool needs_comma_ = false;
};

}  // namespace koi::api::openapi
