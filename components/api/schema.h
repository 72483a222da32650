#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// The description of every kind that koi serves, as plain structs that engines walk. The built-in
// kinds are constant tables made at build time from components/api/schema/; custom resources fill
// the same structs at run time. Nothing here owns memory: whoever builds a description keeps it
// alive and unchanged for as long as anybody walks it.
namespace koi::api {

struct Type;

enum class ShapeKind : std::uint8_t {
  boolean,
  int32,
  int64,
  number,         // a double
  string,         //
  bytes,          // base64 in JSON
  time,           // RFC 3339, whole seconds
  micro_time,     // RFC 3339, microseconds
  quantity,       // "100m"; in JSON a string, read from numbers as well
  int_or_string,  // 80 or "80%"
  raw,            // any JSON value: RawExtension, FieldsV1, the parts of a CRD's schema
  object,         // `type` says which
  array,          // of `element`
  map,            // string to `element`
};

// What a value looks like. Arrays and maps nest by `element`.
struct Shape {
  ShapeKind kind = ShapeKind::raw;
  const Type* type = nullptr;      // of an object; of a scalar or raw that has a named type
  const Shape* element = nullptr;  // of an array or map

  bool is_scalar() const { return kind < ShapeKind::raw; }
};

enum class ListType : std::uint8_t { atomic, set, map };
enum class MapType : std::uint8_t { granular, atomic };
enum class PatchStrategy : std::uint8_t { none, merge, replace, retain_keys, merge_retain_keys };

// The facts that most fields do not have.
struct FieldRules {
  // The JSON text of the value that a missing field takes, or empty.
  std::string_view default_json;
  // The allowed strings; empty where the schema does not bound them.
  std::span<const std::string_view> enum_values;
  ListType list_type = ListType::atomic;
  std::span<const std::string_view> list_map_keys;
  MapType map_type = MapType::granular;
  PatchStrategy patch_strategy = PatchStrategy::none;
  // The key by which strategic merge matches list elements; empty: elements are the keys.
  std::string_view patch_merge_key;
};

// The protobuf field numbers from the owner's message down to the field: one for nearly all, more
// where protobuf nests what JSON flattens. Zero-filled behind; all zero: not in protobuf.
using ProtoPath = std::array<std::uint8_t, 3>;

struct Field {
  std::string_view name;  // as in JSON
  const Shape* shape = nullptr;
  const FieldRules* rules = nullptr;  // never null
  std::string_view doc;               // may be empty
  ProtoPath proto{};
  bool required = false;
  // Whether absence differs from the zero value (a pointer in the Go type). Lists and maps are not.
  bool pointer = false;
  // Whether the Go encoder leaves a zero value out of JSON.
  bool omit_empty = true;
};

struct Type {
  std::string_view name;          // "io.k8s.api.core.v1.Pod": the OpenAPI v2 definition
  std::string_view doc;           // may be empty
  std::span<const Field> fields;  // in the order in which upstream prints them
  // Indexes into `fields`, by name in byte order.
  std::span<const std::uint8_t> by_name;
  MapType map_type = MapType::granular;  // atomic: server-side apply owns it as a whole
  std::string_view union_discriminator;  // name of the field, or empty
  // Unknown fields are kept, as in a custom resource that asks for it.
  bool preserve_unknown = false;
  // Indexes into `fields` of those that protobuf has, by path.
  std::span<const std::uint8_t> by_proto;

  // The field of that exact name, or null.
  const Field* field(std::string_view field_name) const;
};

struct Subresource {
  std::string_view name;  // "status", "proxy/*"
  std::string_view group, version, kind;
  std::span<const std::string_view> verbs;
};

struct Kind {
  std::string_view group;  // "" for core
  std::string_view version;
  std::string_view kind;
  std::string_view list_kind;  // "PodList"
  std::string_view plural;
  std::string_view singular;
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
  std::span<const std::string_view> verbs;
  std::span<const Subresource> subresources;
  const Type* type = nullptr;
  const Type* list_type = nullptr;  // null where there is no list (reviews, bindings)
  bool namespaced = false;

  std::string_view api_version;  // "v1", "apps/v1"

  const Subresource* subresource(std::string_view subresource_name) const;
  bool has_verb(std::string_view verb) const;
};

struct GroupVersions {
  std::string_view group;
  std::span<const std::string_view> versions;  // preferred first
};

// A set of kinds and the lookups over it. The built-in one is constant and any thread may use it.
class Schema {
 public:
  constexpr Schema(std::span<const Kind> kinds, std::span<const Kind> bodies,
                   std::span<const Type> types, std::span<const GroupVersions> groups)
      : kinds_(kinds), bodies_(bodies), types_(types), groups_(groups) {}

  // Every served resource, group by group in priority order.
  std::span<const Kind> kinds() const { return kinds_; }
  // Kinds that are only bodies: of subresources (Scale, Eviction, TokenRequest) and of requests
  // (DeleteOptions, Status, in every group/version). They have no plural.
  std::span<const Kind> bodies() const { return bodies_; }
  // Every type, by name in byte order.
  std::span<const Type> types() const { return types_; }
  // Every group with its versions, core first, in the order discovery lists them.
  std::span<const GroupVersions> groups() const { return groups_; }

  // All return null where there is none. find() also finds bodies.
  const Kind* find(std::string_view group, std::string_view version, std::string_view kind) const;
  // `api_version` as in an object: "v1" or "apps/v1".
  const Kind* find(std::string_view api_version, std::string_view kind) const;
  const Kind* find_resource(std::string_view group, std::string_view version,
                            std::string_view plural) const;
  const Type* find_type(std::string_view name) const;
  // The type of whatever names itself so: a kind, a list of it ("PodList") or a body.
  const Type* find_body_type(std::string_view api_version, std::string_view kind) const;

 private:
  std::span<const Kind> kinds_;
  std::span<const Kind> bodies_;
  std::span<const Type> types_;
  std::span<const GroupVersions> groups_;
};

// The kinds of Kubernetes 1.36 that koi knows.
const Schema& builtin_schema();

}  // namespace koi::api
