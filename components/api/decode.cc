#include "api/decode.h"

#include <bitset>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "api/base64.h"
#include "api/quantity.h"
#include "api/raw_form.h"
#include "base/time.h"
#include "json/parse_strict.h"

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;

// One step of the way down: a field, a key of a map, or (the name is empty) an index.
struct Step {
  std::string_view name;
  std::size_t index = 0;
  bool is_field = false;
};

// `[{},{},...]` costs a sender three bytes an item and gains members here: bounded, far above what
// any real object holds.
constexpr std::size_t added_members_max = 200'000;

constexpr std::string_view quantity_rule =
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

// "v1.Pod" of "io.k8s.api.core.v1.Pod": how Go prints a type.
std::string go_name(const Type& type) {
  const auto dot = type.name.rfind('.');
  const auto before = dot == std::string_view::npos ? dot : type.name.rfind('.', dot - 1);
  return std::string(type.name.substr(before == std::string_view::npos ? 0 : before + 1));
}

std::string_view bare_name(const Type& type) {
  const auto dot = type.name.rfind('.');
  return type.name.substr(dot == std::string_view::npos ? 0 : dot + 1);
}

std::string go_type(const Shape& shape) {
  switch (shape.kind) {
    case ShapeKind::boolean:
      return "bool";
    case ShapeKind::int32:
      return "int32";
    case ShapeKind::int64:
      return "int64";
    case ShapeKind::number:
      return "float64";
    case ShapeKind::bytes:
      return "[]uint8";
    case ShapeKind::array:
      return "[]" + go_type(*shape.element);
    case ShapeKind::map:
      if (shape.element->kind == ShapeKind::quantity) return "v1.ResourceList";
      return "map[string]" + go_type(*shape.element);
    default:
      return shape.type != nullptr ? go_name(*shape.type) : "string";
  }
}

// A number in the fewest digits, as Go's decoder quotes it.
std::string number_text(const Value& value) {
  char buffer[32];
  std::to_chars_result end{};
  if (value.is_int64()) {
    end = std::to_chars(buffer, buffer + sizeof buffer, value.get_int64());
  } else if (value.is_uint64()) {
    end = std::to_chars(buffer, buffer + sizeof buffer, value.get_uint64());
  } else {
    end = std::to_chars(buffer, buffer + sizeof buffer, value.get_double());
  }
  return std::string(buffer, end.ptr);
}

std::string_view json_kind(const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::string:
      return "string";
    case boost::json::kind::bool_:
      return "bool";
    case boost::json::kind::array:
      return "array";
    case boost::json::kind::object:
      return "object";
    case boost::json::kind::null:
      return "null";
    default:
      return "number";
  }
}

// Which fields of a type an object has, by index.
using Seen = std::bitset<256>;

class Decoder {
 public:
  explicit Decoder(std::vector<std::string>* findings) : findings_(findings) {}

  bool object(Value& value, const Type& type);
  std::string take_error() { return std::move(error_); }

 private:
  bool members(Object& object, const Type& type, Seen& seen);
  void add_missing(Object& object, const Type& type, const Seen& seen);
  bool value_of(Value& value, const Shape& shape);
  bool array(Value& value, const Shape& shape);
  bool map(Value& value, const Shape& shape);
  bool boolean(Value& value, const Shape& shape);
  bool string(Value& value, const Shape& shape);
  bool integer(Value& value, const Shape& shape);
  bool number(Value& value, const Shape& shape);
  bool bytes(Value& value, const Shape& shape);
  bool time(Value& value, const Shape& shape);
  bool quantity(Value& value);
  bool int_or_string(Value& value);
  bool raw(Value& value, const Type* type);
  static void replace_null(Value& value, const Shape& shape);
  static bool is_dropped(const Value& value, const Field& field);

  void unknown(std::string_view name);
  bool mismatch(std::string_view got, std::string_view wanted);
  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }

  std::vector<std::string>* findings_;
  std::vector<Step> path_;
  std::size_t added_ = 0;
  const Type* owner_ = nullptr;
  std::string error_;
};

void Decoder::unknown(std::string_view name) {
  if (findings_ == nullptr || findings_->size() >= strict_findings_max) return;
  std::string path;
  for (const Step& step : path_) {
    if (step.name.empty()) {
      path += "[" + std::to_string(step.index) + "]";
    } else {
      path += (path.empty() ? "" : ".") + std::string(step.name);
    }
  }
  path += (path.empty() ? "" : ".") + std::string(name);
  findings_->push_back("unknown field \"" + path + "\"");
}

bool Decoder::mismatch(std::string_view got, std::string_view wanted) {
  std::string message = "json: cannot unmarshal " + std::string(got) + " into Go ";
  if (owner_ == nullptr || path_.empty()) {
    return fail(message + "value of type " + std::string(wanted));
  }
  message += "struct field " + std::string(bare_name(*owner_));
  for (const Step& step : path_) {
    if (step.is_field) message += "." + std::string(step.name);
  }
  return fail(message + " of type " + std::string(wanted));
}

bool Decoder::object(Value& value, const Type& type) {
  auto* object = value.if_object();
  if (object == nullptr) return mismatch(json_kind(value), go_name(type));
  const Type* const above = owner_;
  owner_ = &type;
  Seen seen;
  const bool ok = members(*object, type, seen);
  if (ok) {
    add_missing(*object, type, seen);
    if (added_ > added_members_max) return fail("the object has too many parts");
    owner_ = above;
  }
  return ok;
}

bool Decoder::members(Object& object, const Type& type, Seen& seen) {
  bool drops = false;
  for (auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    const Field* field = type.field(name);
    if (field == nullptr) {
      if (type.preserve_unknown) continue;
      unknown(name);
      member.value() = nullptr;
      drops = true;
      continue;
    }
    if (member.value().is_null()) {
      drops = true;
      continue;
    }
    path_.push_back({.name = field->name, .index = 0, .is_field = true});
    if (!value_of(member.value(), *field->shape)) return false;
    path_.pop_back();
    if (is_dropped(member.value(), *field)) {
      member.value() = nullptr;
      drops = true;
    } else {
      seen.set(static_cast<std::size_t>(field - type.fields.data()));
    }
  }
  if (!drops) return true;
  // Rebuilt in order: erasing from the middle would shuffle what is left.
  Object kept(object.storage());
  kept.reserve(object.size());
  for (auto& member : object) {
    const bool known = type.field({member.key().data(), member.key().size()}) != nullptr;
    if (member.value().is_null() && (known || !type.preserve_unknown)) continue;
    kept.emplace(member.key(), std::move(member.value()));
  }
  object = std::move(kept);
  return true;
}

bool Decoder::is_dropped(const Value& value, const Field& field) {
  if (value.is_null()) return true;
  if (field.pointer || !field.omit_empty || field.shape->kind == ShapeKind::raw) return false;
  switch (value.kind()) {
    case boost::json::kind::string:
      return value.get_string().empty();
    case boost::json::kind::bool_:
      return !value.get_bool();
    case boost::json::kind::int64:
      return value.get_int64() == 0 && field.shape->is_scalar() &&
             field.shape->kind != ShapeKind::int_or_string;
    case boost::json::kind::array:
      return value.get_array().empty();
    case boost::json::kind::object:
      return field.shape->kind == ShapeKind::map && value.get_object().empty();
    default:
      return false;
  }
}

void Decoder::add_missing(Object& object, const Type& type, const Seen& seen) {
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    const Field& field = type.fields[i];
    if (field.pointer || field.proto[0] == 0) continue;
    const bool is_object = field.shape->kind == ShapeKind::object;
    const bool is_quantity = field.shape->kind == ShapeKind::quantity;
    if (!is_object && !is_quantity && field.omit_empty) continue;
    if (seen[i]) continue;
    ++added_;
    switch (field.shape->kind) {
      case ShapeKind::object:
        add_missing(object[field.name].emplace_object(), *field.shape->type, {});
        break;
      case ShapeKind::boolean:
        object[field.name] = false;
        break;
      case ShapeKind::quantity:
        object[field.name] = "0";
        break;
      case ShapeKind::string:
        object[field.name] = "";
        break;
      case ShapeKind::int32:
      case ShapeKind::int64:
      case ShapeKind::number:
      case ShapeKind::int_or_string:
        object[field.name] = std::int64_t{0};
        break;
      default:
        break;
    }
  }
}

bool Decoder::value_of(Value& value, const Shape& shape) {
  switch (shape.kind) {
    case ShapeKind::boolean:
      return boolean(value, shape);
    case ShapeKind::int32:
    case ShapeKind::int64:
      return integer(value, shape);
    case ShapeKind::number:
      return number(value, shape);
    case ShapeKind::string:
      return string(value, shape);
    case ShapeKind::bytes:
      return bytes(value, shape);
    case ShapeKind::time:
    case ShapeKind::micro_time:
      return time(value, shape);
    case ShapeKind::quantity:
      return quantity(value);
    case ShapeKind::int_or_string:
      return int_or_string(value);
    case ShapeKind::raw:
      return raw(value, shape.type);
    case ShapeKind::object:
      return object(value, *shape.type);
    case ShapeKind::array:
      return array(value, shape);
    case ShapeKind::map:
      return map(value, shape);
  }
  return true;
}

// Go decodes null inside a list or map as the zero value of its element.
void Decoder::replace_null(Value& value, const Shape& shape) {
  switch (shape.kind) {
    case ShapeKind::boolean:
      value = false;
      break;
    case ShapeKind::int32:
    case ShapeKind::int64:
    case ShapeKind::number:
    case ShapeKind::int_or_string:
      value = std::int64_t{0};
      break;
    case ShapeKind::string:
    case ShapeKind::bytes:
      value = "";
      break;
    case ShapeKind::quantity:
      value = "0";
      break;
    case ShapeKind::object:
    case ShapeKind::map:
      value.emplace_object();
      break;
    case ShapeKind::array:
      value.emplace_array();
      break;
    default:
      break;
  }
}

bool Decoder::array(Value& value, const Shape& shape) {
  auto* items = value.if_array();
  if (items == nullptr) return mismatch(json_kind(value), go_type(shape));
  path_.emplace_back();
  for (std::size_t i = 0; i < items->size(); ++i) {
    path_.back().index = i;
    Value& item = (*items)[i];
    if (item.is_null()) replace_null(item, *shape.element);
    if (!item.is_null() && !value_of(item, *shape.element)) return false;
  }
  path_.pop_back();
  return true;
}

bool Decoder::map(Value& value, const Shape& shape) {
  auto* object = value.if_object();
  if (object == nullptr) return mismatch(json_kind(value), go_type(shape));
  path_.emplace_back();
  for (auto& member : *object) {
    path_.back().name = {member.key().data(), member.key().size()};
    if (member.value().is_null()) replace_null(member.value(), *shape.element);
    if (!member.value().is_null() && !value_of(member.value(), *shape.element)) return false;
  }
  path_.pop_back();
  return true;
}

bool Decoder::boolean(Value& value, const Shape& shape) {
  return value.is_bool() || mismatch(json_kind(value), go_type(shape));
}

bool Decoder::string(Value& value, const Shape& shape) {
  return value.is_string() || mismatch(json_kind(value), go_type(shape));
}

namespace {

// Values that programs made, unlike parsed ones, may hold small numbers as unsigned.
void make_signed(Value& value) {
  if (!value.is_uint64() || !std::in_range<std::int64_t>(value.get_uint64())) return;
  value = static_cast<std::int64_t>(value.get_uint64());
}

}  // namespace

bool Decoder::integer(Value& value, const Shape& shape) {
  make_signed(value);
  if (value.is_int64()) {
    const std::int64_t number = value.get_int64();
    if (shape.kind == ShapeKind::int64) return true;
    if (number >= std::numeric_limits<std::int32_t>::min() &&
        number <= std::numeric_limits<std::int32_t>::max()) {
      return true;
    }
  }
  const bool is_number = value.is_number();
  return mismatch(is_number ? "number " + number_text(value) : std::string(json_kind(value)),
                  go_type(shape));
}

bool Decoder::number(Value& value, const Shape& shape) {
  return value.is_number() || mismatch(json_kind(value), go_type(shape));
}

bool Decoder::bytes(Value& value, const Shape& shape) {
  if (!value.is_string()) return mismatch(json_kind(value), go_type(shape));
  const std::string_view text(value.get_string().data(), value.get_string().size());
  const auto checked = check_base64(text);
  if (!checked.valid) {
    return fail("illegal base64 data at input byte " + std::to_string(checked.offset));
  }
  if (checked.has_line_breaks) {
    std::string joined;
    for (const char c : text) {
      if (c != '\r' && c != '\n') joined += c;
    }
    value = joined;
  }
  return true;
}

bool Decoder::time(Value& value, const Shape& shape) {
  if (!value.is_string()) return mismatch(json_kind(value), "string");
  const std::string text(value.get_string().data(), value.get_string().size());
  const auto parsed = base::parse_time(text);
  if (!parsed) {
    const std::string_view layout = shape.kind == ShapeKind::time
                                        ? "2006-01-02T15:04:05Z07:00"
                                        : "2006-01-02T15:04:05.000000Z07:00";
    return fail("parsing time \"" + text + "\" as \"" + std::string(layout) +
                "\": cannot parse \"" + text + "\" as \"2006\"");
  }
  const auto canonical =
      shape.kind == ShapeKind::time ? base::format_time(*parsed) : base::format_micro_time(*parsed);
  if (canonical != text) value = canonical;
  return true;
}

bool Decoder::quantity(Value& value) {
  if (value.is_number()) value = number_text(value);
  if (!value.is_string()) return fail(std::string(quantity_rule));
  const std::string_view text(value.get_string().data(), value.get_string().size());
  auto canonical = canonical_quantity(text);
  if (!canonical) return fail(std::string(quantity_rule));
  if (*canonical != text) value = *canonical;
  return true;
}

bool Decoder::int_or_string(Value& value) {
  if (value.is_string()) return true;
  make_signed(value);
  if (value.is_int64() && value.get_int64() >= std::numeric_limits<std::int32_t>::min() &&
      value.get_int64() <= std::numeric_limits<std::int32_t>::max()) {
    return true;
  }
  const std::string got =
      value.is_number() ? "number " + number_text(value) : std::string(json_kind(value));
  return fail("json: cannot unmarshal " + got + " into Go value of type int32");
}

// Most raw values are anything; what stands in for a schema is checked where it is one.
bool Decoder::raw(Value& value, const Type* type) {
  if (!value.is_structured() || raw_form(type) == RawForm::bytes) return true;
  const Shape schema{.kind = ShapeKind::object, .type = &json_schema_type(), .element = nullptr};
  if (value.is_object()) return object(value, *schema.type);
  if (raw_form(type) != RawForm::schema_or_schemas) return true;
  const Shape schemas{.kind = ShapeKind::array, .type = nullptr, .element = &schema};
  return array(value, schemas);
}

// "Deployment in version "v1" cannot be handled as a Deployment: ..."
std::string cannot_handle(const Kind& kind, std::string_view why) {
  return std::string(kind.kind) + " in version \"" + std::string(kind.version) +
         "\" cannot be handled as a " + std::string(kind.kind) + ": " + std::string(why);
}

std::string joined(const std::vector<std::string>& findings) {
  std::string out = "strict decoding error: ";
  for (std::size_t i = 0; i < findings.size(); ++i) out += (i > 0 ? ", " : "") + findings[i];
  return out;
}

std::string hex(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  // Enough to recognise the body by; a stranger's whole body is not echoed back.
  constexpr std::size_t bytes_max = 256;
  std::string out;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out + (text.size() > bytes_max ? "..." : "");
}

// Takes what the body does not say about itself from `kind`, and refuses what it says wrongly.
base::Result<> settle_kind(json::Value& value, const Kind& kind) {
  auto* object = value.if_object();
  if (object == nullptr) {
    return base::fail(
        base::Code::invalid,
        cannot_handle(kind, "json: cannot unmarshal " + std::string(json_kind(value)) +
                                " into Go value of type " + go_name(*kind.type)));
  }
  const std::string said_kind(json::string_at(value, {"kind"}));
  const std::string said_version(json::string_at(value, {"apiVersion"}));
  const bool meta = kind.type->name.find(".meta.v1.") != std::string_view::npos;
  if (said_kind.empty()) (*object)["kind"] = kind.kind;
  if (said_version.empty()) (*object)["apiVersion"] = kind.api_version;
  if (!said_kind.empty() && said_kind != kind.kind) {
    return base::fail(base::Code::invalid, "the object provided is unrecognized (must be of type " +
                                               std::string(kind.kind) + "): kind '" + said_kind +
                                               "' does not match the expected kind");
  }
  if (!said_version.empty() && said_version != kind.api_version && !meta) {
    return base::fail(base::Code::invalid, "the API version in the data (" + said_version +
                                               ") does not match the expected API version (" +
                                               std::string(kind.api_version) + ")");
  }
  return {};
}

}  // namespace

base::Result<> decode(json::Value& value, const Type& type, std::vector<std::string>* findings) {
  Decoder decoder(findings);
  if (decoder.object(value, type)) return {};
  return base::fail(base::Code::invalid, decoder.take_error());
}

base::Result<DecodedBody> decode_value(json::Value value, const Kind& kind,
                                       FieldValidation validation,
                                       const std::vector<std::string>& duplicates) {
  DecodedBody out{.value = std::move(value), .findings = {}};
  if (auto settled = settle_kind(out.value, kind); !settled) {
    return base::fail(std::move(settled).error());
  }
  const bool reports = validation != FieldValidation::ignore;
  auto decoded = decode(out.value, *kind.type, reports ? &out.findings : nullptr);
  if (!decoded) {
    return base::fail(decoded.error().code, cannot_handle(kind, decoded.error().message));
  }
  for (const auto& path : duplicates) {
    if (reports) out.findings.push_back("duplicate field \"" + path + "\"");
  }
  if (validation == FieldValidation::strict && !out.findings.empty()) {
    return base::fail(base::Code::invalid, cannot_handle(kind, joined(out.findings)));
  }
  return out;
}

base::Result<DecodedBody> decode_body(std::string_view text, const Kind& kind,
                                      FieldValidation validation) {
  std::vector<std::string> duplicates;
  base::Result<json::Value> value;
  if (validation == FieldValidation::ignore) {
    value = json::parse(text);
  } else if (auto strict = json::parse_strict(text)) {
    value = std::move(strict->value);
    duplicates = std::move(strict->duplicates);
  } else {
    value = base::fail(std::move(strict).error());
  }
  if (!value) {
    return base::fail(base::Code::invalid, "the object provided is unrecognized (must be of type " +
                                               std::string(kind.kind) +
                                               "): couldn't get version/kind; json parse error: " +
                                               value.error().message + " (" + hex(text) + ")");
  }
  return decode_value(std::move(*value), kind, validation, duplicates);
}

}  // namespace koi::api
