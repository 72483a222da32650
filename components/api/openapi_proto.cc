#include <array>
#include <cstdint>
#include <string>

#include "api/openapi.h"
#include "api/openapi_model.h"
#include "api/openapi_text.h"

namespace koi::api {

namespace {

using namespace openapi;

// One protobuf message as it is being written. The numbers are those of gnostic's OpenAPIv2.proto.
class Message {
 public:
  void string(std::uint32_t field, std::string_view text) {
    varint(field << 3U | 2U);
    varint(text.size());
    bytes_ += text;
  }
  void boolean(std::uint32_t field, bool value) {
    varint(field << 3U);
    varint(value ? 1 : 0);
  }
  void message(std::uint32_t field, const Message& part) { string(field, part.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>((value & 0x7fU) | 0x80U);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

namespace schema_fields {
constexpr std::uint32_t reference = 1;
constexpr std::uint32_t format = 2;
constexpr std::uint32_t description = 4;
constexpr std::uint32_t required = 19;
constexpr std::uint32_t additional_properties = 21;
constexpr std::uint32_t type = 22;
constexpr std::uint32_t items = 23;
constexpr std::uint32_t properties = 25;
constexpr std::uint32_t vendor_extension = 31;
}  // namespace schema_fields

constexpr std::uint32_t operation_vendor_extension = 13;

Message wrapped(std::uint32_t field, const Message& part) {
  Message message;
  message.message(field, part);
  return message;
}

// NamedSchema, NamedPathItem and their like.
Message named(std::string_view name, const Message& value) {
  Message message;
  message.string(1, name);
  message.message(2, value);
  return message;
}

// An extension holds its value as YAML, of which JSON is a part.
void add_extension(Message& message, std::uint32_t field, std::string_view name,
                   std::string_view json) {
  Message any;
  any.string(2, json);
  message.message(field, named(name, any));
}

template <class Write>
std::string json_of(const Write& write) {
  std::string text;
  const TextSink sink = [&text](std::string_view piece) { text += piece; };
  {
    JsonText out(sink);
    write(out);
  }
  return text;
}

void write_kind(JsonText& out, const KindName& kind) {
  out.open_object();
  out.member("group", kind.group);
  out.member("kind", kind.kind);
  out.member("version", kind.version);
  out.close_object();
}

void add_type(Message& schema, std::string_view type, std::string_view format = "") {
  Message item;
  item.string(1, type);
  schema.message(schema_fields::type, item);
  if (!format.empty()) schema.string(schema_fields::format, format);
}

void add_leaf(Message& schema, Leaf leaf) {
  if (leaf == Leaf::quantity) add_type(schema, "string");
  if (leaf == Leaf::int_or_string) add_type(schema, "string", "int-or-string");
  if (leaf == Leaf::time) add_type(schema, "string", "date-time");
  if (leaf == Leaf::any_object) add_type(schema, "object");
}

void add_shape(Message& schema, const Shape& shape);

Message element_schema(const Shape& shape) {
  Message element;
  if (shape.element != nullptr) add_shape(element, *shape.element);
  return element;
}

void add_shape(Message& schema, const Shape& shape) {
  if (shape.type != nullptr) {
    schema.string(schema_fields::reference, "#/definitions/" + std::string(shape.type->name));
    return;
  }
  switch (shape.kind) {
    case ShapeKind::array:
      add_type(schema, "array");
      schema.message(schema_fields::items, wrapped(1, element_schema(shape)));
      return;
    case ShapeKind::map:
      add_type(schema, "object");
      schema.message(schema_fields::additional_properties, wrapped(1, element_schema(shape)));
      return;
    case ShapeKind::boolean:
      return add_type(schema, "boolean");
    case ShapeKind::int32:
      return add_type(schema, "integer", "int32");
    case ShapeKind::int64:
      return add_type(schema, "integer", "int64");
    case ShapeKind::number:
      return add_type(schema, "number", "double");
    case ShapeKind::string:
      return add_type(schema, "string");
    case ShapeKind::bytes:
      return add_type(schema, "string", "byte");
    case ShapeKind::time:
    case ShapeKind::micro_time:
      return add_leaf(schema, Leaf::time);
    case ShapeKind::quantity:
      return add_leaf(schema, Leaf::quantity);
    case ShapeKind::int_or_string:
      return add_leaf(schema, Leaf::int_or_string);
    case ShapeKind::object:
      return add_type(schema, "object");
    case ShapeKind::raw:
      return;
  }
}

Message field_schema(const Field& field) {
  Message schema;
  add_shape(schema, *field.shape);
  if (!field.doc.empty()) schema.string(schema_fields::description, field.doc);
  for (const auto& [name, json] : merge_rules_json(field)) {
    add_extension(schema, schema_fields::vendor_extension, name, json);
  }
  return schema;
}

Message definition(const Type& type, const KindNames& names) {
  Message schema;
  if (!type.doc.empty()) schema.string(schema_fields::description, type.doc);
  if (const Leaf leaf = leaf_of(type); leaf != Leaf::none) {
    add_leaf(schema, leaf);
  } else {
    add_type(schema, "object");
  }
  Message properties;
  for (const Field& field : type.fields) {
    properties.message(1, named(field.name, field_schema(field)));
    if (field.required) schema.string(schema_fields::required, field.name);
  }
  if (!type.fields.empty()) schema.message(schema_fields::properties, properties);
  const auto found = names.find(&type);
  if (found != names.end()) {
    add_extension(schema, schema_fields::vendor_extension, "x-kubernetes-group-version-kind",
                  json_of([&found](JsonText& out) {
                    out.open_array();
                    for (const KindName& kind : found->second) write_kind(out, kind);
                    out.close_array();
                  }));
  }
  return schema;
}

Message query_parameter(const Parameter& parameter) {
  Message query;
  query.string(2, "query");
  query.string(3, parameter.doc);
  query.string(4, parameter.name);
  query.string(6, parameter.type);
  query.boolean(20, true);
  // ParametersItem.parameter, Parameter.non_body_parameter, NonBodyParameter.query_...
  return wrapped(1, wrapped(2, wrapped(3, query)));
}

Message operation_message(const Operation& operation) {
  Message message;
  message.string(3, operation.doc);
  message.string(5, operation.id);
  for (const Parameter& parameter : operation.parameters) {
    message.message(8, query_parameter(parameter));
  }
  add_extension(message, operation_vendor_extension, "x-kubernetes-action",
                json_of([&](JsonText& out) { out.string(operation.action); }));
  add_extension(message, operation_vendor_extension, "x-kubernetes-group-version-kind",
                json_of([&](JsonText& out) { write_kind(out, operation.kind); }));
  return message;
}

// Clients look into the paths only to learn which parameters a write takes.
Message path_item(const PathItem& item) {
  struct Method {
    std::string_view name;
    std::uint32_t field;
  };
  static constexpr std::array methods = {Method{"put", 3}, Method{"post", 4}, Method{"patch", 8}};
  Message message;
  for (const Operation& operation : item.operations) {
    for (const Method& method : methods) {
      if (operation.method == method.name) {
        message.message(method.field, operation_message(operation));
      }
    }
  }
  return message;
}

}  // namespace

void write_openapi_v2_protobuf(const Schema& schema, std::string_view server_version,
                               const TextSink& sink) {
  Message info;
  info.string(1, "Kubernetes");
  info.string(2, server_version);
  Message head;
  head.string(1, "2.0");
  head.message(2, info);
  sink(head.bytes());
  // A field that holds a message may come many times: readers merge them. So each path and each
  // definition is written on its own and the whole document is never in memory.
  std::vector<const Kind*> kinds;
  for (const Kind& kind : schema.kinds()) {
    kinds.push_back(&kind);
    for_each_path(schema, kind, [&sink](const PathItem& item) {
      sink(wrapped(8, wrapped(2, named(item.path, path_item(item)))).bytes());
    });
  }
  const KindNames names = kind_names(schema);
  const TypeSet types = reachable_types(schema, kinds);
  for (const Type* type : types) {
    sink(wrapped(9, wrapped(1, named(type->name, definition(*type, names)))).bytes());
  }
  if (schema.find_type(patch_type) == nullptr) {
    Message patch;
    add_leaf(patch, Leaf::any_object);
    sink(wrapped(9, wrapped(1, named(patch_type, patch))).bytes());
  }
}

}  // namespace koi::api
