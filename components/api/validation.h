#pragma once

#include <string_view>

#include "api/schema.h"
#include "api/status.h"
#include "json/value.h"

namespace koi::api {

struct ValidationRequest {
  const Kind* kind = nullptr;
  // Complete and defaulted.
  const json::Value* object = nullptr;
  // The stored object that is about to be replaced; null on create.
  const json::Value* before = nullptr;
  // What was written to: "" for the object itself, else "status", "scale", ... With one, rules
  // about the parts that it cannot touch are left out.
  std::string_view subresource{};
};

// Everything that is wrong with an object, in the words and with the field paths that clients know
// from upstream; nothing where the object may be stored.
FieldErrors validate_object(const ValidationRequest& request);

// Just the metadata: for custom resources, whose other rules are in their schema.
FieldErrors validate_metadata(const ValidationRequest& request);

}  // namespace koi::api
