#include "api/defaulting.h"

#include <charconv>
#include <unordered_map>
#include <vector>

#include "api/default_hooks.h"
#include "base/check.h"

namespace koi::api {

namespace {

using json::Object;
using json::Value;

constexpr std::string_view hook_prefix = "io.k8s.api.";

using Hooks = std::unordered_map<const Type*, void (*)(Object&)>;

void add_hooks(Hooks& hooks, std::span<const DefaultHook> list) {
  for (const auto& hook : list) {
    const bool whole = hook.type.starts_with("io.");
    const Type* type = builtin_schema().find_type(
        whole ? std::string(hook.type) : std::string(hook_prefix) + std::string(hook.type));
    CHECK_THAT(type != nullptr, "a default is set for a type that does not exist");
    hooks[type] = hook.apply;
  }
}

const Hooks& hooks() {
  static const Hooks all = [] {
    Hooks made;
    add_hooks(made, pod_default_hooks());
    add_hooks(made, core_default_hooks());
    add_hooks(made, workload_default_hooks());
    add_hooks(made, other_default_hooks());
    return made;
  }();
  return all;
}

const Type* object_type(const Shape& shape) {
  const Shape* at = &shape;
  while (at->element != nullptr) at = at->element;
  return at->kind == ShapeKind::object ? at->type : nullptr;
}

// Which built-in types have a default, themselves or below: the walk skips all others.
const std::vector<bool>& types_with_defaults() {
  static const std::vector<bool> marked = [] {
    const auto types = builtin_schema().types();
    std::vector<bool> made(types.size());
    const auto index = [&](const Type* type) {
      return static_cast<std::size_t>(type - types.data());
    };
    bool changed = true;
    while (changed) {
      changed = false;
      for (std::size_t i = 0; i < types.size(); ++i) {
        if (made[i]) continue;
        bool found = hooks().contains(&types[i]);
        for (const Field& field : types[i].fields) {
          const Type* below = object_type(*field.shape);
          found = found || !field.rules->default_json.empty() ||
                  (below != nullptr && made[index(below)]);
        }
        if (found) changed = made[i] = true;
      }
    }
    return made;
  }();
  return marked;
}

bool may_have_defaults(const Type& type) {
  const auto types = builtin_schema().types();
  if (&type < types.data() || &type >= types.data() + types.size()) return true;
  return types_with_defaults()[static_cast<std::size_t>(&type - types.data())];
}

// The value of a default's JSON text; words and numbers without a parser, for speed.
Value literal(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.find('\\') == std::string_view::npos) {
    return Value(text.substr(1, text.size() - 2));
  }
  std::int64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec == std::errc() && end.ptr == text.data() + text.size()) return Value(number);
  auto parsed = json::parse(text);
  CHECK_THAT(parsed.has_value(), "a default of the description is not JSON");
  return std::move(*parsed);
}

bool is_zero(const Value& value) {
  if (const auto* text = value.if_string()) return text->empty();
  if (value.is_int64()) return value.get_int64() == 0;
  return value.is_null();
}

void complete(Object& object, const Type& type);

void complete_below(Value& value, const Shape& shape) {
  if (shape.kind == ShapeKind::object) {
    if (auto* object = value.if_object()) complete(*object, *shape.type);
  } else if (shape.kind == ShapeKind::array) {
    if (auto* items = value.if_array()) {
      for (auto& item : *items) complete_below(item, *shape.element);
    }
  } else if (shape.kind == ShapeKind::map) {
    if (auto* object = value.if_object()) {
      for (auto& member : *object) complete_below(member.value(), *shape.element);
    }
  }
}

void complete(Object& object, const Type& type) {
  if (!may_have_defaults(type)) return;
  for (const Field& field : type.fields) {
    if (field.rules->default_json.empty()) continue;
    const Value* present = object.if_contains(field.name);
    if (present == nullptr || (!field.pointer && is_zero(*present))) {
      object[field.name] = literal(field.rules->default_json);
    }
  }
  if (const auto hook = hooks().find(&type); hook != hooks().end()) hook->second(object);
  for (auto& member : object) {
    if (!member.value().is_structured()) continue;
    const Field* field = type.field({member.key().data(), member.key().size()});
    if (field == nullptr) continue;
    const Type* below = object_type(*field->shape);
    if (below != nullptr && may_have_defaults(*below)) {
      complete_below(member.value(), *field->shape);
    }
  }
}

}  // namespace

void copy_missing(const json::Object& source, json::Object& target) {
  for (const auto& member : source) {
    if (!target.contains(member.key())) target.emplace(member.key(), member.value());
  }
}

void apply_defaults(json::Value& value, const Type& type) {
  if (auto* object = value.if_object()) complete(*object, type);
}

}  // namespace koi::api
