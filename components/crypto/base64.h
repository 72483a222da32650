#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::crypto {

// RFC 4648 section 4, padded, one line.
std::string base64_encode(std::string_view bytes);
// Strict: fails on anything but whole, padded groups. Line breaks are skipped.
base::Result<std::string> base64_decode(std::string_view text);

// RFC 4648 section 5, without padding: what JWTs carry.
std::string base64url_encode(std::string_view bytes);
// Fails on padding and on bits that no encoder would have set.
base::Result<std::string> base64url_decode(std::string_view text);

// Lower case.
std::string hex_encode(std::string_view bytes);
base::Result<std::string> hex_decode(std::string_view text);

}  // namespace koi::crypto
