#pragma once

#include <string>
#include <string_view>

namespace koi::api {

// Whether `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

// `text` with each byte that is no part of well-formed UTF-8 replaced by U+FFFD, as Go does.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace koi::api
