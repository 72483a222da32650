#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::crypto {

// RFC 4648, with padding.
std::string base64_encode(std::string_view bytes);
base::Result<std::string> base64_decode(std::string_view text);

// RFC 4648 section 5 without padding, as tokens use it.
std::string base64url_encode(std::string_view bytes);
base::Result<std::string> base64url_decode(std::string_view text);

}  // namespace koi::crypto
