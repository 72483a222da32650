#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// JSON values and the short ways of looking into them that Kubernetes objects ask for.
namespace koi::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;
using Path = std::initializer_list<std::string_view>;

// Reads one JSON text. Depth is bounded by limits::json_depth_max; anything behind the value but
// white space is an error. The message says where: "line 3, column 7: ...". Later duplicate keys
// win.
base::Result<Value> parse(std::string_view text);

// Compact JSON, UTF-8, members in the order they were inserted.
std::string serialize(const Value& value);

// The value below `path`, or null where a step is missing or no object.
const Value* find(const Value& root, Path path);
Value* find(Value& root, Path path);

// The string below `path`; empty where it is missing or of another type.
std::string_view string_at(const Value& root, Path path);
// The whole number below `path`, where it is one that fits.
std::optional<std::int64_t> int_at(const Value& root, Path path);
std::int64_t int_at(const Value& root, Path path, std::int64_t otherwise);
bool bool_at(const Value& root, Path path, bool otherwise = false);

// The array or object below `path`; a shared empty one where it is missing or of another type, so
// that loops need no check.
const Array& array_at(const Value& root, Path path);
const Object& object_at(const Value& root, Path path);

// Makes the objects on the way to `path` and returns a reference to the last member (null if new).
// A step that exists and is no object is replaced by one.
Value& ensure(Value& root, Path path);
Object& ensure_object(Value& root, Path path);
Array& ensure_array(Value& root, Path path);

// Sets the member at `path`, making the objects on the way.
void set(Value& root, Path path, Value value);

// Removes the member at `path`; does nothing where there is none.
void erase(Value& root, Path path);

}  // namespace koi::json
