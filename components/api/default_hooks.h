#pragma once

#include <span>
#include <string_view>

#include "json/value.h"

// Defaults that depend on other fields, by the type of the object they complete. Internal to api.
namespace koi::api {

struct DefaultHook {
  std::string_view type;  // as Type::name, without "io.k8s.api."
  // Runs after the literal defaults of the object and before anything below it.
  void (*apply)(json::Object& object);
};

std::span<const DefaultHook> pod_default_hooks();
std::span<const DefaultHook> core_default_hooks();
std::span<const DefaultHook> workload_default_hooks();
std::span<const DefaultHook> other_default_hooks();

// Short forms for the hooks. The string is empty where the member is missing or no string.
inline bool has(const json::Object& object, std::string_view name) { return object.contains(name); }
inline std::string_view text_member(const json::Object& object, std::string_view name) {
  const auto* found = object.if_contains(name);
  const auto* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? std::string_view(text->data(), text->size()) : std::string_view();
}
inline json::Object* object_member(json::Object& object, std::string_view name) {
  auto* found = object.if_contains(name);
  return found != nullptr ? found->if_object() : nullptr;
}
inline json::Array* array_member(json::Object& object, std::string_view name) {
  auto* found = object.if_contains(name);
  return found != nullptr ? found->if_array() : nullptr;
}
inline void set_missing(json::Object& object, std::string_view name, json::Value value) {
  if (!object.contains(name)) object[name] = std::move(value);
}
// Copies members of `source` that `target` lacks.
void copy_missing(const json::Object& source, json::Object& target);

}  // namespace koi::api
