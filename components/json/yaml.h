#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace koi::json {

// One YAML document (or JSON, which is YAML) as JSON, typed as Kubernetes' clients type it: true
// and false, decimal, octal and hexadecimal integers, floats, null and ~; quoted text stays text.
// Anchors are followed within limits::yaml_alias_expansions_max. Empty text is null. Fails with
// invalid and the line; also when a key comes twice.
base::Result<Value> parse_yaml(std::string_view text);

// Every document of a stream, empty ones left out.
base::Result<std::vector<Value>> parse_yaml_stream(std::string_view text);

// Block style, keys sorted, as clients print it.
std::string to_yaml(const Value& value);

}  // namespace koi::json
