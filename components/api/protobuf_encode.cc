#include <algorithm>
#include <bit>
#include <chrono>
#include <vector>

#include "api/base64.h"
#include "api/protobuf.h"
#include "api/protobuf_wire.h"
#include "api/raw_form.h"
#include "base/time.h"

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;
using wire::ReverseWriter;
using wire::WireType;

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

// Writes fields from the highest number to the lowest, as ReverseWriter wants them. Where the Go
// type is no pointer the field is written even when it is zero.
class Encoder {
 public:
  void object(const Object& object, const Type& type) {
    fields(object, type, {.first = 0, .last = type.by_proto.size()}, 0);
  }
  bool failed() const { return failed_; }
  std::string take() { return out_.take(); }

 private:
  struct Range {
    std::size_t first = 0;
    std::size_t last = 0;
  };

  void fields(const Object& object, const Type& type, Range range, std::size_t level);
  void field(const Object& object, const Field& field, std::uint32_t number);
  void zero(const Field& field, std::uint32_t number);
  void element(const Value& value, const Shape& shape, std::uint32_t number);
  void map(const Object& entries, const Shape& shape, std::uint32_t number);
  void time(const Value& value, const Shape& shape, std::uint32_t number);
  void int_or_string(const Value& value, std::uint32_t number);
  void raw(const Value& value, const Type* type, std::uint32_t number);
  void schema(const Value& value, std::uint32_t number);
  std::uint64_t integer(const Value& value);
  double floating(const Value& value);

  static const Field& at(const Type& type, std::size_t index) {
    return type.fields[type.by_proto[index]];
  }

  ReverseWriter out_;
  bool failed_ = false;
};

void Encoder::fields(const Object& object, const Type& type, Range range, std::size_t level) {
  std::size_t last = range.last;
  while (last > range.first) {
    const Field& highest = at(type, last - 1);
    const std::uint8_t number = highest.proto[level];
    const bool nested = level + 1 < highest.proto.size() && highest.proto[level + 1] != 0;
    if (!nested) {
      field(object, highest, number);
      --last;
      continue;
    }
    std::size_t first = last - 1;
    while (first > range.first && at(type, first - 1).proto[level] == number) --first;
    const std::size_t before = out_.size();
    fields(object, type, {.first = first, .last = last}, level + 1);
    out_.close(number, before);
    last = first;
  }
}

void Encoder::field(const Object& object, const Field& field, std::uint32_t number) {
  const Value* value = object.if_contains(field.name);
  if (value == nullptr || value->is_null()) {
    if (!field.pointer) zero(field, number);
    return;
  }
  const Shape& shape = *field.shape;
  if (shape.kind == ShapeKind::array) {
    const auto* items = value->if_array();
    if (items == nullptr) {
      failed_ = true;
      return;
    }
    for (std::size_t i = items->size(); i > 0; --i)
      element((*items)[i - 1], *shape.element, number);
  } else if (shape.kind == ShapeKind::map) {
    const auto* entries = value->if_object();
    failed_ = failed_ || entries == nullptr;
    if (entries != nullptr) map(*entries, *shape.element, number);
  } else {
    element(*value, shape, number);
  }
}

void Encoder::zero(const Field& field, std::uint32_t number) {
  static const Value zero_int(std::int64_t{0});
  static const Value empty("");
  static const Value zero_quantity("0");
  static const Value none(boost::json::object_kind);
  switch (field.shape->kind) {
    case ShapeKind::boolean:
    case ShapeKind::int32:
    case ShapeKind::int64:
      out_.number(number, 0);
      break;
    case ShapeKind::number:
    case ShapeKind::int_or_string:
      element(zero_int, *field.shape, number);
      break;
    case ShapeKind::string:
      out_.bytes(number, {});
      break;
    case ShapeKind::time:
    case ShapeKind::micro_time:
      out_.bytes(number, {});
      break;
    case ShapeKind::quantity:
      element(zero_quantity, *field.shape, number);
      break;
    case ShapeKind::object:
      element(none, *field.shape, number);
      break;
    case ShapeKind::raw:
      out_.bytes(number, {});
      break;
    case ShapeKind::bytes:
    case ShapeKind::array:
    case ShapeKind::map:
      break;
  }
}

void Encoder::element(const Value& value, const Shape& shape, std::uint32_t number) {
  const auto* text = value.if_string();
  const std::size_t before = out_.size();
  switch (shape.kind) {
    case ShapeKind::boolean:
      failed_ = failed_ || !value.is_bool();
      out_.number(number, value.is_bool() && value.get_bool() ? 1 : 0);
      return;
    case ShapeKind::int32:
    case ShapeKind::int64:
      out_.number(number, integer(value));
      return;
    case ShapeKind::number:
      out_.fixed64(std::bit_cast<std::uint64_t>(floating(value)));
      out_.tag(number, WireType::fixed64);
      return;
    case ShapeKind::string:
    case ShapeKind::bytes:
    case ShapeKind::quantity:
      break;
    case ShapeKind::time:
    case ShapeKind::micro_time:
      time(value, shape, number);
      return;
    case ShapeKind::int_or_string:
      int_or_string(value, number);
      return;
    case ShapeKind::raw:
      raw(value, shape.type, number);
      return;
    case ShapeKind::object:
      if (!value.is_object()) break;
      object(value.get_object(), *shape.type);
      out_.close(number, before);
      return;
    case ShapeKind::array:
      // A list inside a map is a message of its own, with the items as field 1.
      if (!value.is_array()) break;
      for (std::size_t i = value.get_array().size(); i > 0; --i) {
        element(value.get_array()[i - 1], *shape.element, 1);
      }
      out_.close(number, before);
      return;
    case ShapeKind::map:
      break;
  }
  if (text == nullptr) {
    failed_ = true;
  } else if (shape.kind == ShapeKind::bytes) {
    out_.bytes(number, decode_base64(view(*text)));
  } else {
    out_.bytes(shape.kind == ShapeKind::quantity ? 1 : number, view(*text));
    if (shape.kind == ShapeKind::quantity) out_.close(number, before);
  }
}

void Encoder::map(const Object& entries, const Shape& shape, std::uint32_t number) {
  std::vector<const boost::json::key_value_pair*> sorted;
  sorted.reserve(entries.size());
  for (const auto& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
    return std::string_view(left->key().data(), left->key().size()) >
           std::string_view(right->key().data(), right->key().size());
  });
  for (const auto* entry : sorted) {
    const std::size_t before = out_.size();
    element(entry->value(), shape, 2);
    out_.bytes(1, {entry->key().data(), entry->key().size()});
    out_.close(number, before);
  }
}

void Encoder::time(const Value& value, const Shape& shape, std::uint32_t number) {
  if (value.is_null()) return out_.bytes(number, {});
  const auto* text = value.if_string();
  const auto parsed = text != nullptr ? base::parse_time(view(*text)) : base::parse_time("");
  if (!parsed) {
    failed_ = true;
    return;
  }
  const auto since = parsed->time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto nanos = std::chrono::nanoseconds(since - seconds).count();
  const std::size_t before = out_.size();
  out_.number(2, shape.kind == ShapeKind::micro_time ? static_cast<std::uint64_t>(nanos) : 0);
  out_.number(1, static_cast<std::uint64_t>(seconds.count()));
  out_.close(number, before);
}

void Encoder::int_or_string(const Value& value, std::uint32_t number) {
  const std::size_t before = out_.size();
  const auto* text = value.if_string();
  out_.bytes(3, text != nullptr ? view(*text) : std::string_view());
  out_.number(2, text != nullptr ? 0 : integer(value));
  out_.number(1, text != nullptr ? 1 : 0);
  out_.close(number, before);
}

void Encoder::schema(const Value& value, std::uint32_t number) {
  const Shape shape{.kind = ShapeKind::object, .type = &json_schema_type(), .element = nullptr};
  element(value, shape, number);
}

void Encoder::raw(const Value& value, const Type* type, std::uint32_t number) {
  const std::size_t before = out_.size();
  switch (raw_form(type)) {
    case RawForm::bytes:
      out_.bytes(1, json::serialize(value));
      break;
    case RawForm::schema_or_bool:
      if (value.is_object()) schema(value, 2);
      out_.number(1, value.is_object() || (value.is_bool() && value.get_bool()) ? 1 : 0);
      break;
    case RawForm::schema_or_schemas:
      if (const auto* items = value.if_array()) {
        for (std::size_t i = items->size(); i > 0; --i) schema((*items)[i - 1], 2);
      } else {
        schema(value, 1);
      }
      break;
    case RawForm::schema_or_property_names:
      if (const auto* items = value.if_array()) {
        const Shape name{.kind = ShapeKind::string, .type = nullptr, .element = nullptr};
        for (std::size_t i = items->size(); i > 0; --i) element((*items)[i - 1], name, 2);
      } else {
        schema(value, 1);
      }
      break;
  }
  out_.close(number, before);
}

std::uint64_t Encoder::integer(const Value& value) {
  if (value.is_int64()) return static_cast<std::uint64_t>(value.get_int64());
  if (value.is_uint64()) return value.get_uint64();
  failed_ = true;
  return 0;
}

double Encoder::floating(const Value& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  failed_ = true;
  return 0;
}

}  // namespace

base::Result<std::string> encode_message(const json::Value& value, const Type& type) {
  Encoder encoder;
  if (const auto* object = value.if_object()) {
    encoder.object(*object, type);
    if (!encoder.failed()) return encoder.take();
  }
  return base::fail(base::Code::internal,
                    "the value does not have the form of '" + std::string(type.name) + "'");
}

}  // namespace koi::api
