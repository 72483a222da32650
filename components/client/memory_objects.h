#pragma once

#include <string>
#include <string_view>

#include "json/value.h"

// What the API server in memory knows about objects. Test support.
namespace koi::client {

bool matches_labels(const json::Value& object, std::string_view selector);
// "metadata.name=a,spec.nodeName=b" against the object.
bool matches_fields(const json::Value& object, std::string_view selector);
// RFC 7386.
void merge_patch(json::Value& target, const json::Value& patch);

}  // namespace koi::client
