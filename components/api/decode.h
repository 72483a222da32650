#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "base/result.h"
#include "json/value.h"

// JSON bodies against their description. Any thread.
namespace koi::api {

// What `fieldValidation` of a request asks for.
enum class FieldValidation { ignore, warn, strict };

// At most this many strict findings are collected from one body.
inline constexpr std::size_t strict_findings_max = 100;

// Brings `value` into the form that is stored, as a round trip through upstream's Go types would:
// unknown fields and nulls are removed, types checked, quantities and times canonical, zero values
// that Go would leave out removed, objects and numbers that Go always prints added. Unknown fields
// are appended to `findings` (may be null) as `unknown field "spec.foo"`.
// Fails with invalid and the words of Go's decoder; `value` is then in an unspecified state.
base::Result<> decode(json::Value& value, const Type& type, std::vector<std::string>* findings);

struct DecodedBody {
  json::Value value;
  // `unknown field "spec.foo"`, `duplicate field "spec.bar"`: what `warn` reports.
  std::vector<std::string> findings;
};

// Parses a JSON request body and decodes it. A body without apiVersion or kind is taken as `kind`
// and gets both; one that names another kind or version is refused. The message is the one that
// upstream's API server sends with 400.
base::Result<DecodedBody> decode_body(std::string_view text, const Kind& kind,
                                      FieldValidation validation);

// The checks of decode_body() for a value that is already parsed (from YAML or a patch).
// `duplicates` are the paths that a strict parse reported.
base::Result<DecodedBody> decode_value(json::Value value, const Kind& kind,
                                       FieldValidation validation,
                                       const std::vector<std::string>& duplicates = {});

}  // namespace koi::api
