#include "api/openapi.h"

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "api/openapi_model.h"
#include "api/openapi_text.h"

namespace koi::api {

namespace {

using namespace openapi;

enum class Dialect { v2, v3 };

constexpr std::array<std::string_view, 4> produced_types = {"application/json", "application/yaml",
                                                            "application/vnd.kubernetes.protobuf",
                                                            "application/json;stream=watch"};
constexpr std::array<std::string_view, 4> patch_types = {
    "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
constexpr std::array<std::string_view, 1> any_types = {"*/*"};

std::span<const std::string_view> consumed_types(const Operation& operation) {
  if (operation.body == patch_type) return patch_types;
  return any_types;
}

// Writes documents of one dialect.
class Writer {
 public:
  Writer(JsonText& out, Dialect dialect) : out_(out), dialect_(dialect) {}

  void definition(const Type& type, const KindNames& names) {
    out_.open_object(type.name);
    if (!type.doc.empty()) out_.member("description", type.doc);
    if (const Leaf leaf = leaf_of(type); leaf != Leaf::none) {
      write_leaf(leaf);
    } else {
      write_fields(type);
    }
    const auto found = names.find(&type);
    if (found != names.end()) write_kinds(found->second);
    if (type.map_type == MapType::atomic) out_.member("x-kubernetes-map-type", "atomic");
    if (type.preserve_unknown) {
      out_.key("x-kubernetes-preserve-unknown-fields");
      out_.boolean(true);
    }
    out_.close_object();
  }

  void patch_definition() {
    out_.open_object(patch_type);
    out_.member("description", "A patch in one of the accepted formats.");
    out_.member("type", "object");
    out_.close_object();
  }

  void path(const PathItem& item) {
    out_.open_object(item.path);
    for (const Operation& operation : item.operations) write_operation(item, operation);
    out_.open_array("parameters");
    if (item.has_name) write_parameter(name_parameter, "path");
    if (item.has_namespace) write_parameter(namespace_parameter, "path");
    if (item.path.ends_with("/{path}")) {
      write_parameter({"path", "string", "path to the resource"}, "path");
    }
    write_parameter(pretty_parameter, "query");
    out_.close_array();
    out_.close_object();
  }

 private:
  bool is_v3() const { return dialect_ == Dialect::v3; }

  void reference(std::string_view type) {
    std::string target = is_v3() ? "#/components/schemas/" : "#/definitions/";
    out_.member("$ref", target.append(type));
  }

  void write_leaf(Leaf leaf) {
    switch (leaf) {
      case Leaf::quantity:
        if (is_v3()) {
          out_.key("oneOf");
          out_.raw(R"([{"type":"string"},{"type":"number"}])");
        } else {
          out_.member("type", "string");
        }
        return;
      case Leaf::int_or_string:
        out_.member("format", "int-or-string");
        if (is_v3()) {
          out_.key("oneOf");
          out_.raw(R"([{"type":"integer"},{"type":"string"}])");
        } else {
          out_.member("type", "string");
        }
        return;
      case Leaf::time:
        out_.member("type", "string");
        out_.member("format", "date-time");
        return;
      case Leaf::any_object:
        out_.member("type", "object");
        return;
      case Leaf::any_value:
      case Leaf::none:
        return;
    }
  }

  void write_fields(const Type& type) {
    if (!type.fields.empty()) {
      out_.open_object("properties");
      for (const Field& field : type.fields) {
        out_.open_object(field.name);
        write_field(field);
        out_.close_object();
      }
      out_.close_object();
    }
    bool has_required = false;
    for (const Field& field : type.fields) has_required = has_required || field.required;
    if (has_required) {
      out_.open_array("required");
      for (const Field& field : type.fields) {
        if (field.required) out_.string(field.name);
      }
      out_.close_array();
    }
    out_.member("type", "object");
  }

  void write_field(const Field& field) {
    const bool is_reference = field.shape->type != nullptr;
    const FieldRules& rules = *field.rules;
    std::string_view default_json = rules.default_json;
    if (default_json.empty() && field.shape->kind == ShapeKind::object && !field.pointer) {
      default_json = "{}";
    }
    if (is_reference && is_v3() && (!field.doc.empty() || !default_json.empty())) {
      // A bare $ref must stand alone in v3.
      out_.open_array("allOf");
      out_.open_object();
      reference(field.shape->type->name);
      out_.close_object();
      out_.close_array();
    } else {
      write_shape(*field.shape);
    }
    if (is_v3() && !default_json.empty()) {
      out_.key("default");
      out_.raw(default_json);
    }
    if (!field.doc.empty()) out_.member("description", field.doc);
    if (!rules.enum_values.empty()) {
      out_.open_array("enum");
      for (const std::string_view value : rules.enum_values) out_.string(value);
      out_.close_array();
    }
    write_merge_rules(field);
  }

  void write_merge_rules(const Field& field) {
    for (const auto& [name, json] : merge_rules_json(field)) {
      out_.key(name);
      out_.raw(json);
    }
  }

  void write_shape(const Shape& shape) {
    if (shape.type != nullptr) {
      reference(shape.type->name);
      return;
    }
    switch (shape.kind) {
      case ShapeKind::array:
        out_.member("type", "array");
        write_element("items", shape);
        return;
      case ShapeKind::map:
        out_.member("type", "object");
        write_element("additionalProperties", shape);
        return;
      case ShapeKind::boolean:
        out_.member("type", "boolean");
        return;
      case ShapeKind::int32:
        write_typed("integer", "int32");
        return;
      case ShapeKind::int64:
        write_typed("integer", "int64");
        return;
      case ShapeKind::number:
        write_typed("number", "double");
        return;
      case ShapeKind::string:
        out_.member("type", "string");
        return;
      case ShapeKind::bytes:
        write_typed("string", "byte");
        return;
      case ShapeKind::time:
      case ShapeKind::micro_time:
        write_leaf(Leaf::time);
        return;
      case ShapeKind::quantity:
        write_leaf(Leaf::quantity);
        return;
      case ShapeKind::int_or_string:
        write_leaf(Leaf::int_or_string);
        return;
      case ShapeKind::object:
        out_.member("type", "object");
        return;
      case ShapeKind::raw:
        return;
    }
  }

  void write_typed(std::string_view type, std::string_view format) {
    out_.member("type", type);
    out_.member("format", format);
  }

  void write_element(std::string_view name, const Shape& shape) {
    out_.open_object(name);
    if (shape.element != nullptr) {
      const Shape& element = *shape.element;
      if (is_v3() && element.kind == ShapeKind::object && element.type != nullptr) {
        out_.open_array("allOf");
        out_.open_object();
        reference(element.type->name);
        out_.close_object();
        out_.close_array();
        out_.key("default");
        out_.raw("{}");
      } else {
        write_shape(element);
        if (is_v3() && element.kind == ShapeKind::string) out_.member("default", "");
      }
    }
    out_.close_object();
  }

  void write_kind(const KindName& kind) {
    out_.open_object();
    out_.member("group", kind.group);
    out_.member("kind", kind.kind);
    out_.member("version", kind.version);
    out_.close_object();
  }

  void write_kinds(const std::vector<KindName>& kinds) {
    out_.open_array("x-kubernetes-group-version-kind");
    for (const KindName& kind : kinds) write_kind(kind);
    out_.close_array();
  }

  void write_parameter(const Parameter& parameter, std::string_view place) {
    out_.open_object();
    out_.member("name", parameter.name);
    out_.member("in", place);
    out_.member("description", parameter.doc);
    if (place == "path") {
      out_.key("required");
      out_.boolean(true);
    }
    if (is_v3()) out_.open_object("schema");
    out_.member("type", parameter.type);
    out_.key("uniqueItems");
    out_.boolean(true);
    if (is_v3()) out_.close_object();
    out_.close_object();
  }

  void write_types(std::string_view name, std::span<const std::string_view> types) {
    out_.open_array(name);
    for (const std::string_view type : types) out_.string(type);
    out_.close_array();
  }

  void write_content(std::span<const std::string_view> types, std::string_view schema) {
    out_.open_object("content");
    for (const std::string_view type : types) {
      out_.open_object(type);
      write_body_schema(schema);
      out_.close_object();
    }
    out_.close_object();
  }

  void write_body_schema(std::string_view type) {
    out_.open_object("schema");
    if (type.empty()) {
      out_.member("type", "string");
    } else {
      reference(type);
    }
    out_.close_object();
  }

  void write_body(const Operation& operation) {
    if (is_v3()) {
      out_.open_object("requestBody");
      write_content(consumed_types(operation), operation.body);
      if (operation.method != "delete") {
        out_.key("required");
        out_.boolean(true);
      }
      out_.close_object();
      return;
    }
    out_.open_object();
    out_.member("name", "body");
    out_.member("in", "body");
    if (operation.method != "delete") {
      out_.key("required");
      out_.boolean(true);
    }
    write_body_schema(operation.body);
    out_.close_object();
  }

  void write_responses(const Operation& operation) {
    static constexpr std::array<std::string_view, 1> text_types = {"*/*"};
    const bool is_text = operation.response.empty();
    out_.open_object("responses");
    out_.open_object(operation.method == "post" && !is_text ? "201" : "200");
    out_.member("description", operation.method == "post" && !is_text ? "Created" : "OK");
    if (is_v3()) {
      write_content(is_text ? std::span<const std::string_view>(text_types)
                            : std::span<const std::string_view>(produced_types).first(3),
                    operation.response);
    } else {
      write_body_schema(operation.response);
    }
    out_.close_object();
    out_.open_object("401");
    out_.member("description", "Unauthorized");
    out_.close_object();
    out_.close_object();
  }

  void write_operation(const PathItem& item, const Operation& operation) {
    out_.open_object(operation.method);
    out_.member("description", operation.doc);
    out_.member("operationId", operation.id);
    out_.open_array("tags");
    out_.string(item.tag);
    out_.close_array();
    if (!is_v3()) {
      write_types("consumes", consumed_types(operation));
      write_types("produces", produced_types);
      write_types("schemes", std::array<std::string_view, 1>{"https"});
    }
    out_.open_array("parameters");
    if (!is_v3() && !operation.body.empty()) write_body(operation);
    for (const Parameter& parameter : operation.parameters) write_parameter(parameter, "query");
    out_.close_array();
    if (is_v3() && !operation.body.empty()) write_body(operation);
    write_responses(operation);
    out_.member("x-kubernetes-action", operation.action);
    out_.key("x-kubernetes-group-version-kind");
    write_kind(operation.kind);
    out_.close_object();
  }

  JsonText& out_;
  Dialect dialect_;
};

void write_info(JsonText& out, std::string_view server_version) {
  out.open_object("info");
  out.member("title", "Kubernetes");
  out.member("version", server_version);
  out.close_object();
}

void write_security(JsonText& out) {
  out.open_object("BearerToken");
  out.member("description", "Bearer Token authentication");
  out.member("type", "apiKey");
  out.member("name", "authorization");
  out.member("in", "header");
  out.close_object();
}

void write_definitions(Writer& writer, const TypeSet& types, const KindNames& names) {
  bool has_patch = false;
  for (const Type* type : types) {
    has_patch = has_patch || type->name == patch_type;
    writer.definition(*type, names);
  }
  if (!has_patch) writer.patch_definition();
}

std::string document_name(std::string_view group, std::string_view version) {
  if (group.empty()) return "api/" + std::string(version);
  return "apis/" + std::string(group) + "/" + std::string(version);
}

}  // namespace

void write_openapi_v2(const Schema& schema, std::string_view server_version, const TextSink& sink) {
  JsonText out(sink);
  Writer writer(out, Dialect::v2);
  out.open_object();
  out.member("swagger", "2.0");
  write_info(out, server_version);
  out.open_object("paths");
  std::vector<const Kind*> kinds;
  for (const Kind& kind : schema.kinds()) {
    kinds.push_back(&kind);
    for_each_path(schema, kind, [&writer](const PathItem& item) { writer.path(item); });
  }
  out.close_object();
  out.open_object("definitions");
  write_definitions(writer, reachable_types(schema, kinds), kind_names(schema));
  out.close_object();
  out.open_object("securityDefinitions");
  write_security(out);
  out.close_object();
  out.key("security");
  out.raw(R"([{"BearerToken":[]}])");
  out.close_object();
}

bool write_openapi_v3(const Schema& schema, std::string_view server_version, std::string_view group,
                      std::string_view version, const TextSink& sink) {
  const auto kinds = kinds_of(schema, group, version);
  if (kinds.empty()) return false;
  JsonText out(sink);
  Writer writer(out, Dialect::v3);
  out.open_object();
  out.member("openapi", "3.0.0");
  write_info(out, server_version);
  out.open_object("paths");
  for (const Kind* kind : kinds) {
    for_each_path(schema, *kind, [&writer](const PathItem& item) { writer.path(item); });
  }
  out.close_object();
  out.open_object("components");
  out.open_object("schemas");
  write_definitions(writer, reachable_types(schema, kinds), kind_names(schema));
  out.close_object();
  out.open_object("securitySchemes");
  write_security(out);
  out.close_object();
  out.close_object();
  out.close_object();
  return true;
}

std::string openapi_v3_hash(const Schema& schema, std::string_view server_version,
                            std::string_view group, std::string_view version) {
  // FNV-1a, twice with different starts: the hash only tells versions of one text apart.
  std::uint64_t first = 14695981039346656037ULL;
  std::uint64_t second = 1099511628211ULL;
  const TextSink sink = [&first, &second](std::string_view piece) {
    for (const char c : piece) {
      first = (first ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
      second = (second ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
  };
  write_openapi_v3(schema, server_version, group, version, sink);
  static constexpr std::string_view hex = "0123456789ABCDEF";
  std::string text;
  for (const std::uint64_t half : {first, second}) {
    for (unsigned shift = 64; shift > 0; shift -= 4) text += hex[(half >> (shift - 4)) & 15U];
  }
  return text;
}

std::string openapi_v3_index(const Schema& schema, std::string_view server_version) {
  std::string text;
  const TextSink sink = [&text](std::string_view piece) { text += piece; };
  {
    JsonText out(sink);
    out.open_object();
    out.open_object("paths");
    for (const GroupVersions& group : schema.groups()) {
      for (const std::string_view version : group.versions) {
        if (kinds_of(schema, group.group, version).empty()) continue;
        const std::string name = document_name(group.group, version);
        out.open_object(name);
        out.member("serverRelativeURL",
                   "/openapi/v3/" + name +
                       "?hash=" + openapi_v3_hash(schema, server_version, group.group, version));
        out.close_object();
      }
    }
    out.close_object();
    out.close_object();
  }
  return text;
}

}  // namespace koi::api
