#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Standard base64 with padding, as JSON carries bytes.
namespace koi::api {

struct Base64Check {
  bool valid = true;
  std::size_t offset = 0;        // of the first byte at fault
  bool has_line_breaks = false;  // allowed, and to be removed before the text is stored
};

// Whether decode_base64() would read it, without reading it.
Base64Check check_base64(std::string_view text);

// The bytes of text that check_base64() finds valid; of any other, those before the fault.
std::string decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace koi::api
