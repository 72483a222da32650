#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace koi::http {

// Percent-decoding; '+' means a space only in queries. Fails with invalid on a broken escape.
base::Result<std::string> percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text);

// The decoded segments of a path: "/a%2Fb/c/" -> {"a/b", "c", ""}.
base::Result<std::vector<std::string>> split_path(std::string_view path);

// A query's parameters; a name may come more than once.
using Query = std::multimap<std::string, std::string, std::less<>>;
base::Result<Query> parse_query(std::string_view query);
// The first value of a parameter; empty when absent.
std::string_view query_value(const Query& query, std::string_view name);
std::string encode_query(const Query& query);

}  // namespace koi::http
