#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/schema.h"

// What the three OpenAPI encodings share: which paths and definitions a document has.
namespace koi::api::openapi {

inline constexpr std::string_view meta_prefix = "io.k8s.apimachinery.pkg.apis.meta.v1.";
inline constexpr std::string_view patch_type = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

struct KindName {
  std::string_view group;
  std::string_view version;
  std::string_view kind;
};

// Which kinds each type is the body of.
using KindNames = std::unordered_map<const Type*, std::vector<KindName>>;
KindNames kind_names(const Schema& schema);

struct Parameter {
  std::string_view name;
  std::string_view type;  // "string", "integer", "boolean"
  std::string_view doc;
};

struct Operation {
  std::string_view method;  // "get", in lower case
  std::string_view action;  // x-kubernetes-action
  std::string id;
  std::string doc;
  std::string_view body;      // name of a type, or empty
  std::string_view response;  // name of a type, or empty for text
  KindName kind;
  std::span<const Parameter> parameters;
};

struct PathItem {
  std::string path;
  bool has_namespace = false;
  bool has_name = false;
  std::string tag;
  std::vector<Operation> operations;
};

inline constexpr Parameter name_parameter{"name", "string", "name of the object"};
inline constexpr Parameter namespace_parameter{"namespace", "string",
                                               "namespace that the object belongs to"};
inline constexpr Parameter pretty_parameter{"pretty", "string",
                                            "If 'true', then the output is pretty printed."};

// Every path of one kind, in the order in which documents list them.
void for_each_path(const Schema& schema, const Kind& kind,
                   const std::function<void(const PathItem&)>& visit);

// Every type that the paths of these kinds reach, by name.
struct ByName {
  bool operator()(const Type* left, const Type* right) const { return left->name < right->name; }
};
using TypeSet = std::set<const Type*, ByName>;
TypeSet reachable_types(const Schema& schema, std::span<const Kind* const> kinds);

// The kinds of one group and version, as they are served.
std::vector<const Kind*> kinds_of(const Schema& schema, std::string_view group,
                                  std::string_view version);

// The x-kubernetes-... extensions that say how a field merges: name and JSON text of each.
std::vector<std::pair<std::string_view, std::string>> merge_rules_json(const Field& field);

// The wire form of the types that have no fields of their own.
enum class Leaf { none, quantity, int_or_string, time, any_object, any_value };
Leaf leaf_of(const Type& type);

}  // namespace koi::api::openapi
