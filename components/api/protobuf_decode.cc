#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

#include "api/base64.h"
#include "api/decode.h"
#include "api/protobuf.h"
#include "api/protobuf_wire.h"
#include "api/raw_form.h"
#include "api/utf8.h"
#include "base/limits.h"
#include "base/time.h"

namespace koi::api {

namespace {

using json::Object;
using json::Value;
using wire::Item;
using wire::Reader;
using wire::WireType;

// Two bytes of a message can stand for one empty object, so bytes alone do not bound memory.
constexpr std::size_t values_max = 1'000'000;
// What RFC 3339 can write: years 0 to 9999.
constexpr std::int64_t seconds_min = -62'167'219'200;
constexpr std::int64_t seconds_max = 253'402'300'799;

class Decoder {
 public:
  bool message(std::string_view bytes, const Type& type, Value& out);
  const std::string& error() const { return error_; }

 private:
  bool read(std::string_view bytes, const Type& type, ProtoPath path, std::size_t level,
            std::vector<Value>& slots);
  bool field(const Item& item, const Field& field, Value& slot);
  bool element(const Item& item, const Shape& shape, Value& out);
  bool scalar(const Item& item, const Shape& shape, Value& out);
  bool packed(std::string_view bytes, const Shape& shape, Value& slot);
  bool entry(std::string_view bytes, const Shape& shape, Object& out);
  bool time(std::string_view bytes, const Shape& shape, Value& out);
  bool quantity(std::string_view bytes, Value& out);
  bool int_or_string(std::string_view bytes, Value& out);
  bool list(std::string_view bytes, const Shape& shape, Value& out);
  bool raw(std::string_view bytes, const Shape& shape, Value& out);
  bool raw_schema(std::string_view bytes, RawForm form, Value& out);

  bool fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }
  bool wrong_type(const Item& item, std::string_view name) {
    return fail("proto: wrong wireType = " + std::to_string(static_cast<int>(item.type)) +
                " for field " + std::string(name));
  }
  bool ended(const Reader& reader) { return !reader.failed() || fail("unexpected EOF"); }
  static void text(std::string_view bytes, Value& out) {
    if (is_utf8(bytes)) {
      out = bytes;
    } else {
      out = replace_invalid_utf8(bytes);
    }
  }

  std::size_t depth_ = 0;
  std::size_t values_ = 0;
  std::string error_;
};

bool Decoder::message(std::string_view bytes, const Type& type, Value& out) {
  if (++depth_ > base::limits::json_depth_max) return fail("proto: message nested too deep");
  std::vector<Value> slots(type.fields.size());
  if (!read(bytes, type, {}, 0, slots)) return false;
  Object& object = out.emplace_object();
  object.reserve(static_cast<std::size_t>(
      std::count_if(slots.begin(), slots.end(), [](const auto& slot) { return !slot.is_null(); })));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].is_null()) object.emplace(type.fields[i].name, std::move(slots[i]));
  }
  --depth_;
  return true;
}

// Reads the fields whose path starts with the first `level` numbers of `path`.
bool Decoder::read(std::string_view bytes, const Type& type, ProtoPath path, std::size_t level,
                   std::vector<Value>& slots) {
  Reader reader(bytes);
  Item item;
  while (reader.next(item)) {
    if (item.number > 255) continue;
    path[level] = static_cast<std::uint8_t>(item.number);
    for (std::size_t i = level + 1; i < path.size(); ++i) path[i] = 0;
    const auto found = std::lower_bound(
        type.by_proto.begin(), type.by_proto.end(), path,
        [&](std::uint8_t index, const ProtoPath& key) { return type.fields[index].proto < key; });
    if (found == type.by_proto.end()) continue;
    const Field& first = type.fields[*found];
    if (first.proto == path) {
      if (!field(item, first, slots[*found])) return false;
      continue;
    }
    if (level + 1 >= path.size()) continue;
    if (!std::equal(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(level) + 1,
                    first.proto.begin())) {
      continue;
    }
    if (item.type != WireType::bytes) return wrong_type(item, first.name);
    if (!read(item.content, type, path, level + 1, slots)) return false;
  }
  return ended(reader);
}

bool Decoder::field(const Item& item, const Field& field, Value& slot) {
  const Shape& shape = *field.shape;
  if (shape.kind == ShapeKind::array) {
    if (slot.is_null()) slot.emplace_array();
    const bool is_number = shape.element->kind <= ShapeKind::number;
    if (is_number && item.type == WireType::bytes) {
      return packed(item.content, *shape.element, slot);
    }
    auto& items = slot.get_array();
    items.emplace_back(nullptr);
    return element(item, *shape.element, items.back()) ||
           fail("proto: illegal value for field " + std::string(field.name));
  }
  if (shape.kind == ShapeKind::map) {
    if (item.type != WireType::bytes) return wrong_type(item, field.name);
    if (slot.is_null()) slot.emplace_object();
    return entry(item.content, *shape.element, slot.get_object());
  }
  return element(item, shape, slot) ||
         fail("proto: illegal value for field " + std::string(field.name));
}

bool Decoder::element(const Item& item, const Shape& shape, Value& out) {
  if (++values_ > values_max) return fail("proto: message holds too many values");
  if (shape.kind <= ShapeKind::number) return scalar(item, shape, out);
  if (item.type != WireType::bytes) return false;
  switch (shape.kind) {
    case ShapeKind::string:
      text(item.content, out);
      return true;
    case ShapeKind::bytes:
      out = encode_base64(item.content);
      return true;
    case ShapeKind::time:
    case ShapeKind::micro_time:
      return time(item.content, shape, out);
    case ShapeKind::quantity:
      return quantity(item.content, out);
    case ShapeKind::int_or_string:
      return int_or_string(item.content, out);
    case ShapeKind::raw:
      return raw(item.content, shape, out);
    case ShapeKind::object:
      return message(item.content, *shape.type, out);
    case ShapeKind::array:
      return list(item.content, shape, out);
    default:
      return false;
  }
}

bool Decoder::scalar(const Item& item, const Shape& shape, Value& out) {
  if (shape.kind == ShapeKind::number) {
    if (item.type != WireType::fixed64) return false;
    out = std::bit_cast<double>(item.value);
    return std::isfinite(out.get_double());
  }
  if (item.type != WireType::varint) return false;
  if (shape.kind == ShapeKind::boolean) {
    out = item.value != 0;
  } else if (shape.kind == ShapeKind::int32) {
    out = std::int64_t{static_cast<std::int32_t>(item.value)};
  } else {
    out = static_cast<std::int64_t>(item.value);
  }
  return true;
}

bool Decoder::packed(std::string_view bytes, const Shape& shape, Value& slot) {
  Reader reader(bytes);
  while (!reader.at_end()) {
    Item item;
    if (shape.kind == ShapeKind::number || !reader.varint(item.value)) {
      return fail("unexpected EOF");
    }
    if (++values_ > values_max) return fail("proto: message holds too many values");
    auto& items = slot.get_array();
    items.emplace_back(nullptr);
    scalar(item, shape, items.back());
  }
  return true;
}

bool Decoder::entry(std::string_view bytes, const Shape& shape, Object& out) {
  Reader reader(bytes);
  Item item;
  Value key("");
  Item found{};
  bool has_value = false;
  while (reader.next(item)) {
    if (item.number == 1 && item.type == WireType::bytes) text(item.content, key);
    if (item.number == 2) {
      found = item;
      has_value = true;
    }
  }
  if (!ended(reader)) return false;
  if (!has_value) found.type = shape.kind <= ShapeKind::int64 ? WireType::varint : WireType::bytes;
  Value value;
  if (!element(found, shape, value)) return fail("proto: illegal value in a map");
  out[key.get_string()] = std::move(value);
  return true;
}

bool Decoder::time(std::string_view bytes, const Shape& shape, Value& out) {
  if (bytes.empty()) return true;
  Reader reader(bytes);
  Item item;
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  while (reader.next(item)) {
    if (item.type != WireType::varint) continue;
    if (item.number == 1) seconds = static_cast<std::int64_t>(item.value);
    if (item.number == 2) nanos = static_cast<std::int32_t>(item.value);
  }
  if (!ended(reader)) return false;
  if (seconds < seconds_min || seconds > seconds_max || nanos < 0 || nanos > 999'999'999) {
    return fail("proto: time out of range");
  }
  const base::WallTime when{std::chrono::seconds(seconds) +
                            std::chrono::microseconds(nanos / 1'000)};
  out =
      shape.kind == ShapeKind::micro_time ? base::format_micro_time(when) : base::format_time(when);
  return true;
}

bool Decoder::quantity(std::string_view bytes, Value& out) {
  Reader reader(bytes);
  Item item;
  out = "0";
  while (reader.next(item)) {
    if (item.number == 1 && item.type == WireType::bytes && !item.content.empty()) {
      text(item.content, out);
    }
  }
  return ended(reader);
}

bool Decoder::int_or_string(std::string_view bytes, Value& out) {
  Reader reader(bytes);
  Item item;
  std::uint64_t type = 0;
  std::int64_t number = 0;
  Value string("");
  while (reader.next(item)) {
    if (item.number == 1 && item.type == WireType::varint) type = item.value;
    if (item.number == 2 && item.type == WireType::varint) {
      number = static_cast<std::int32_t>(item.value);
    }
    if (item.number == 3 && item.type == WireType::bytes) text(item.content, string);
  }
  if (type == 0) {
    out = number;
  } else {
    out = std::move(string);
  }
  return ended(reader) && (type <= 1 || fail("proto: impossible IntOrString type"));
}

bool Decoder::list(std::string_view bytes, const Shape& shape, Value& out) {
  auto& items = out.emplace_array();
  Reader reader(bytes);
  Item item;
  while (reader.next(item)) {
    if (item.number != 1) continue;
    items.emplace_back(nullptr);
    if (!element(item, *shape.element, items.back())) return false;
  }
  return ended(reader);
}

bool Decoder::raw(std::string_view bytes, const Shape& shape, Value& out) {
  const RawForm form = raw_form(shape.type);
  if (form != RawForm::bytes) return raw_schema(bytes, form, out);
  Reader reader(bytes);
  Item item;
  while (reader.next(item)) {
    if (item.number != 1 || item.type != WireType::bytes || item.content.empty()) continue;
    auto value = json::parse(item.content);
    if (!value) return fail("proto: raw JSON: " + value.error().message);
    out = std::move(*value);
  }
  return ended(reader);
}

bool Decoder::raw_schema(std::string_view bytes, RawForm form, Value& out) {
  if (form == RawForm::schema_or_bool) out = false;
  const bool is_bool = form == RawForm::schema_or_bool;
  Reader reader(bytes);
  Item item;
  while (reader.next(item)) {
    if (is_bool && item.number == 1 && item.type == WireType::varint) {
      if (!out.is_object()) out = item.value != 0;
      continue;
    }
    if (item.type != WireType::bytes || item.number > 2) continue;
    const bool is_item = !is_bool && item.number == 2;
    Value value;
    if (is_item && form == RawForm::schema_or_property_names) {
      text(item.content, value);
    } else if (!message(item.content, json_schema_type(), value)) {
      return false;
    }
    if (!is_item) {
      out = std::move(value);
    } else {
      if (!out.is_array()) out.emplace_array();
      out.get_array().push_back(std::move(value));
    }
  }
  return ended(reader);
}

}  // namespace

base::Result<json::Value> decode_message(std::string_view message, const Type& type) {
  Decoder decoder;
  Value value;
  if (!decoder.message(message, type, value)) {
    return base::fail(base::Code::invalid, decoder.error());
  }
  if (auto settled = decode(value, type, nullptr); !settled) {
    return base::fail(std::move(settled).error());
  }
  return value;
}

}  // namespace koi::api
