#pragma once

#include <cstdint>

#include "api/schema.h"

// Types that hold any JSON but have a protobuf message of their own.
namespace koi::api {

enum class RawForm : std::uint8_t {
  bytes,                    // field 1: the JSON text
  schema_or_schemas,        // one JSONSchemaProps or a list of them
  schema_or_bool,           //
  schema_or_property_names  //
};

RawForm raw_form(const Type* type);

// JSONSchemaProps, what the last three hold.
const Type& json_schema_type();

}  // namespace koi::api
