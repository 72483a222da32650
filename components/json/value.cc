#include "json/value.h"

#include <algorithm>
#include <boost/json/parse_options.hpp>
#include <boost/json/stream_parser.hpp>
#include <limits>

#include "base/limits.h"

namespace koi::json {

namespace {

std::string position(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto newline = before.rfind('\n');
  const auto column =
      newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

template <class Root>
Root* walk(Root& root, Path path) {
  Root* at = &root;
  for (const std::string_view step : path) {
    auto* object = at->if_object();
    if (object == nullptr) return nullptr;
    at = object->if_contains(step);
    if (at == nullptr) return nullptr;
  }
  return at;
}

}  // namespace

base::Result<Value> parse(std::string_view text) {
  const boost::json::parse_options options{.max_depth = base::limits::json_depth_max};
  boost::json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error && read < text.size()) {
    const auto rest = text.find_first_not_of(" \t\r\n", read);
    if (rest != std::string_view::npos) {
      return base::fail(base::Code::invalid,
                        position(text, rest) + ": unexpected content after the value");
    }
  }
  if (!error) parser.finish(error);
  if (error) {
    return base::fail(base::Code::invalid, position(text, read) + ": " + error.message());
  }
  return parser.release();
}

const Value* find(const Value& root, Path path) { return walk(root, path); }

Value* find(Value& root, Path path) { return walk(root, path); }

std::string_view string_at(const Value& root, Path path) {
  const Value* value = walk(root, path);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string_view(text->data(), text->size()) : std::string_view();
}

std::optional<std::int64_t> int_at(const Value& root, Path path) {
  const Value* value = walk(root, path);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value->is_uint64() && value->get_uint64() <= max) {
    return static_cast<std::int64_t>(value->get_uint64());
  }
  return std::nullopt;
}

std::int64_t int_at(const Value& root, Path path, std::int64_t otherwise) {
  return int_at(root, path).value_or(otherwise);
}

bool bool_at(const Value& root, Path path, bool otherwise) {
  const Value* value = walk(root, path);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

const Array& array_at(const Value& root, Path path) {
  static const Array empty;
  const Value* value = walk(root, path);
  return value != nullptr && value->is_array() ? value->get_array() : empty;
}

const Object& object_at(const Value& root, Path path) {
  static const Object empty;
  const Value* value = walk(root, path);
  return value != nullptr && value->is_object() ? value->get_object() : empty;
}

Value& ensure(Value& root, Path path) {
  Value* at = &root;
  for (const std::string_view step : path) {
    if (!at->is_object()) at->emplace_object();
    at = &at->get_object()[step];
  }
  return *at;
}

Object& ensure_object(Value& root, Path path) {
  Value& value = ensure(root, path);
  return value.is_object() ? value.get_object() : value.emplace_object();
}

Array& ensure_array(Value& root, Path path) {
  Value& value = ensure(root, path);
  return value.is_array() ? value.get_array() : value.emplace_array();
}

void set(Value& root, Path path, Value value) { ensure(root, path) = std::move(value); }

void erase(Value& root, Path path) {
  if (path.size() == 0) return;
  Value* at = &root;
  const auto* const last = std::prev(path.end());
  for (const auto* step = path.begin(); step != last; ++step) {
    auto* object = at->if_object();
    at = object != nullptr ? object->if_contains(*step) : nullptr;
    if (at == nullptr) return;
  }
  if (auto* object = at->if_object()) object->erase(*last);
}

}  // namespace koi::json
