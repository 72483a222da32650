#pragma once

#include <map>
#include <set>
#include <string>

#include "api/object.h"

namespace koi::agent {

enum class ReferenceKind { config_map, secret };

// A ConfigMap or Secret in the pod's namespace.
struct ReferenceKey {
  ReferenceKind kind = ReferenceKind::config_map;
  std::string name;

  friend auto operator<=>(const ReferenceKey&, const ReferenceKey&) = default;
};

// What the references of a pod resolve to; null: it does not exist.
using ReferenceMap = std::map<ReferenceKey, api::ObjectPtr>;

// Every ConfigMap and Secret that a pod's volumes and environment name.
std::set<ReferenceKey> references_of(const json::Value& pod);

// The object, or null where it does not exist or was not resolved.
const api::Object* find_reference(const ReferenceMap& references, ReferenceKind kind,
                                  std::string_view name);

// The bytes of every key: `data` (base64 in a Secret) and `binaryData`.
std::map<std::string, std::string> reference_data(const api::Object& object, ReferenceKind kind);

}  // namespace koi::agent
