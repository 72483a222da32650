#include "api/strategic_merge.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace koi::api {

namespace {

constexpr std::string_view patch_directive = "$patch";
constexpr std::string_view retain_keys_directive = "$retainKeys";
constexpr std::string_view set_order_prefix = "$setElementOrder/";
constexpr std::string_view delete_primitives_prefix = "$deleteFromPrimitiveList/";

std::unexpected<base::Error> bad_patch(std::string message) {
  return base::fail(base::Code::invalid, std::move(message));
}

bool is_directive(std::string_view key) {
  return key == patch_directive || key == retain_keys_directive ||
         key.starts_with(set_order_prefix) || key.starts_with(delete_primitives_prefix);
}

// How the members of one object are to be merged. Null where the schema says nothing.
struct Members {
  const Type* type = nullptr;
  const Shape* element = nullptr;

  const Field* field(std::string_view name) const {
    return type != nullptr ? type->field(name) : nullptr;
  }
  const Shape* shape(std::string_view name) const {
    if (element != nullptr) return element;
    const Field* found = field(name);
    return found != nullptr ? found->shape : nullptr;
  }
};

Members members_of(const Shape* shape) {
  if (shape == nullptr) return {};
  if (shape->kind == ShapeKind::object) return {.type = shape->type, .element = nullptr};
  if (shape->kind == ShapeKind::map) return {.type = nullptr, .element = shape->element};
  return {};
}

// What is known about the list in one field.
struct ListRules {
  bool merges = false;
  // Empty for lists of scalars.
  std::string_view merge_key;
  Members element;
};

ListRules list_rules(const Members& members, std::string_view name) {
  ListRules rules;
  const Field* field = members.field(name);
  if (field == nullptr || field->shape->kind != ShapeKind::array) return rules;
  const PatchStrategy strategy = field->rules->patch_strategy;
  rules.merges = strategy == PatchStrategy::merge || strategy == PatchStrategy::merge_retain_keys;
  rules.merge_key = field->rules->patch_merge_key;
  rules.element = members_of(field->shape->element);
  return rules;
}

// A value that goes in as it is: without nulls and directives at any depth.
json::Value plain(const json::Value& value) {
  if (const auto* object = value.if_object()) {
    json::Object out;
    for (const auto& member : *object) {
      if (!member.value().is_null() && !is_directive(member.key())) {
        out[member.key()] = plain(member.value());
      }
    }
    return out;
  }
  if (const auto* array = value.if_array()) {
    json::Array out;
    for (const json::Value& item : *array) {
      if (json::string_at(item, {patch_directive}) == "delete") continue;
      json::Value kept = plain(item);
      // Elements that were nothing but a directive leave nothing behind.
      const bool was_directive = item.is_object() && !item.get_object().empty() &&
                                 kept.get_object().empty() &&
                                 item.get_object().contains(patch_directive);
      if (!was_directive) out.push_back(std::move(kept));
    }
    return out;
  }
  return value;
}

// What tells the elements of one list apart: the member under the merge key, or the scalar itself.
const json::Value* identity(const json::Value& item, std::string_view merge_key) {
  if (merge_key.empty()) return &item;
  const auto* object = item.if_object();
  return object != nullptr ? object->if_contains(merge_key) : nullptr;
}

std::optional<std::size_t> index_of(const json::Array& list, const json::Value& id,
                                    std::string_view merge_key) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const json::Value* candidate = identity(list[i], merge_key);
    if (candidate != nullptr && *candidate == id) return i;
  }
  return std::nullopt;
}

base::Result<const json::Value*> required_identity(const json::Value& item,
                                                   std::string_view merge_key) {
  const json::Value* id = identity(item, merge_key);
  if (id != nullptr) return id;
  return bad_patch("map: " + json::serialize(item) +
                   " does not contain declared merge key: " + std::string(merge_key));
}

base::Result<void> merge_object(json::Object& original, const json::Object& patch,
                                const Members& members);

base::Result<void> merge_element(json::Array& list, const json::Value& item,
                                 const ListRules& rules) {
  const auto id = required_identity(item, rules.merge_key);
  if (!id) return base::fail(id.error());
  const auto at = index_of(list, **id, rules.merge_key);
  if (!at) {
    list.push_back(plain(item));
    return {};
  }
  if (rules.merge_key.empty() || !list[*at].is_object()) return {};
  return merge_object(list[*at].get_object(), item.get_object(), rules.element);
}

// Carries out the $patch directives among the elements. True if the list is to be replaced.
base::Result<bool> apply_element_directives(json::Array& list, const json::Array& patch,
                                            std::string_view merge_key) {
  bool replaces = false;
  for (const json::Value& item : patch) {
    const auto* object = item.if_object();
    const json::Value* directive =
        object != nullptr ? object->if_contains(patch_directive) : nullptr;
    if (directive == nullptr) continue;
    const std::string_view action = json::string_at(*directive, {});
    if (action == "replace") {
      replaces = true;
    } else if (action == "delete") {
      const auto id = required_identity(item, merge_key);
      if (!id) return base::fail(id.error());
      while (const auto at = index_of(list, **id, merge_key)) {
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(*at));
      }
    } else if (action != "merge") {
      return bad_patch("unknown patch type: " + json::serialize(*directive) +
                       " in map: " + json::serialize(item));
    }
  }
  return replaces;
}

base::Result<void> merge_list(json::Array& list, const json::Array& patch, const ListRules& rules) {
  const bool has_objects =
      std::ranges::any_of(patch, [](const json::Value& item) { return item.is_object(); });
  if (has_objects && rules.merge_key.empty()) {
    return bad_patch("map does not contain declared merge key");
  }
  const auto replaces = apply_element_directives(list, patch, rules.merge_key);
  if (!replaces) return base::fail(replaces.error());
  if (*replaces) {
    json::Array kept;
    for (const json::Value& item : patch) {
      if (item.is_object() && item.get_object().contains(patch_directive)) continue;
      kept.push_back(plain(item));
    }
    list = std::move(kept);
    return {};
  }
  for (const json::Value& item : patch) {
    if (json::string_at(item, {patch_directive}) == "delete") continue;
    const bool fits = rules.merge_key.empty() ? !item.is_array() : item.is_object();
    if (!fits) return bad_patch("lists of lists and mixed lists cannot be merged");
    if (auto merged = merge_element(list, item, rules); !merged) return merged;
  }
  return {};
}

// Brings `list` into the order the client gave. Elements the client does not know keep their place
// relative to the others, as the server had them.
void apply_order(json::Array& list, const json::Array& server_order, const json::Array& order,
                 std::string_view merge_key) {
  json::Array known;
  json::Array others;
  for (const json::Value& wanted : order) {
    const json::Value* id = identity(wanted, merge_key);
    if (id == nullptr || index_of(known, *id, merge_key)) continue;
    if (const auto at = index_of(list, *id, merge_key)) known.push_back(list[*at]);
  }
  for (const json::Value& item : list) {
    const json::Value* id = identity(item, merge_key);
    if (id == nullptr || !index_of(order, *id, merge_key)) others.push_back(item);
  }
  const auto server_index = [&](const json::Value& item) -> std::optional<std::size_t> {
    const json::Value* id = identity(item, merge_key);
    return id != nullptr ? index_of(server_order, *id, merge_key) : std::nullopt;
  };
  json::Array merged;
  merged.reserve(list.size());
  std::size_t left = 0;
  std::size_t right = 0;
  while (left < known.size() || right < others.size()) {
    bool takes_left = right >= others.size();
    if (left < known.size() && right < others.size()) {
      const auto left_index = server_index(known[left]);
      const auto right_index = server_index(others[right]);
      takes_left = left_index && right_index && *left_index < *right_index;
    }
    merged.push_back(takes_left ? std::move(known[left++]) : std::move(others[right++]));
  }
  list = std::move(merged);
}

// The client's list must itself follow the order it asks for.
base::Result<void> check_order(const json::Array& patch, const json::Array& order,
                               std::string_view name, std::string_view merge_key) {
  std::size_t next = 0;
  for (const json::Value& item : patch) {
    if (json::string_at(item, {patch_directive}) != "") continue;
    const auto id = required_identity(item, merge_key);
    if (!id) return base::fail(id.error());
    const auto at = index_of(order, **id, merge_key);
    if (!at || *at < next) {
      return bad_patch("The order in patch list:\n" + json::serialize(patch) + "\n doesn't match " +
                       std::string(set_order_prefix) + std::string(name) + " list:\n" +
                       json::serialize(order) + "\n");
    }
    next = *at;
  }
  return {};
}

base::Result<void> merge_ordered(json::Object& original, const json::Object& patch,
                                 std::string_view name, const json::Array& order,
                                 const ListRules& rules) {
  const json::Value* patched = patch.if_contains(name);
  if (patched != nullptr && patched->is_null()) return {};
  if (patched != nullptr && !patched->is_array()) {
    return bad_patch("invalid patch format of a list: " + std::string(name));
  }
  json::Value* found = original.if_contains(name);
  const json::Array before =
      found != nullptr && found->is_array() ? found->get_array() : json::Array();
  json::Array list = before;
  if (patched != nullptr) {
    if (auto checked = check_order(patched->get_array(), order, name, rules.merge_key); !checked) {
      return checked;
    }
    if (auto merged = merge_list(list, patched->get_array(), rules); !merged) return merged;
  }
  apply_order(list, before, order, rules.merge_key);
  if (found != nullptr || patched != nullptr) original[name] = std::move(list);
  return {};
}

base::Result<void> apply_retain_keys(json::Object& original, const json::Object& patch,
                                     const json::Value& directive) {
  const auto* keys = directive.if_array();
  if (keys == nullptr) return bad_patch("invalid patch format of retainKeys");
  const auto is_retained = [keys](std::string_view key) {
    return index_of(*keys, json::Value(boost::json::string_view(key.data(), key.size())), "");
  };
  for (const auto& member : patch) {
    if (member.value().is_null() || is_directive(member.key())) continue;
    if (!is_retained(member.key())) {
      return bad_patch("invalid patch format of retainKeys: it must hold every key of the patch");
    }
  }
  for (auto member = original.begin(); member != original.end();) {
    if (is_retained(member->key())) {
      ++member;
    } else {
      member = original.erase(member);
    }
  }
  return {};
}

base::Result<void> delete_primitives(json::Object& original, std::string_view name,
                                     const json::Value& doomed) {
  const auto* values = doomed.if_array();
  if (values == nullptr) return bad_patch("invalid patch format of primitive list");
  json::Value* found = original.if_contains(name);
  if (found == nullptr || !found->is_array()) return {};
  json::Array kept;
  for (const json::Value& item : found->get_array()) {
    if (!index_of(*values, item, "")) kept.push_back(item);
  }
  *found = std::move(kept);
  return {};
}

base::Result<void> merge_member(json::Object& original, std::string_view name,
                                const json::Value& value, const Members& members) {
  if (value.is_null()) {
    original.erase(name);
    return {};
  }
  json::Value* found = original.if_contains(name);
  const bool is_same_shape = found != nullptr && ((found->is_object() && value.is_object()) ||
                                                  (found->is_array() && value.is_array()));
  if (!is_same_shape) {
    // Directives in a new list still mean what they say: what they delete is not there.
    original[name] = plain(value);
    return {};
  }
  if (value.is_object()) {
    const Field* field = members.field(name);
    if (field != nullptr && field->rules->patch_strategy == PatchStrategy::replace) {
      *found = plain(value);
      return {};
    }
    return merge_object(found->get_object(), value.get_object(), members_of(members.shape(name)));
  }
  const ListRules rules = list_rules(members, name);
  if (rules.merges) return merge_list(found->get_array(), value.get_array(), rules);
  *found = plain(value);
  return {};
}

// Carries out the directives of one object, before its members are merged.
base::Result<void> apply_directives(json::Object& original, const json::Object& patch,
                                    const Members& members) {
  if (const json::Value* keys = patch.if_contains(retain_keys_directive)) {
    if (auto done = apply_retain_keys(original, patch, *keys); !done) return done;
  }
  for (const auto& member : patch) {
    const std::string_view key = member.key();
    if (!key.starts_with(delete_primitives_prefix)) continue;
    const auto name = key.substr(delete_primitives_prefix.size());
    if (auto done = delete_primitives(original, name, member.value()); !done) return done;
  }
  for (const auto& member : patch) {
    const std::string_view key = member.key();
    if (!key.starts_with(set_order_prefix)) continue;
    const auto name = key.substr(set_order_prefix.size());
    const ListRules rules = list_rules(members, name);
    if (!member.value().is_array() || !rules.merges) {
      return bad_patch("invalid patch format of setElementOrder list: " + std::string(name));
    }
    auto done = merge_ordered(original, patch, name, member.value().get_array(), rules);
    if (!done) return done;
  }
  return {};
}

base::Result<void> merge_object(json::Object& original, const json::Object& patch,
                                const Members& members) {
  if (const json::Value* directive = patch.if_contains(patch_directive)) {
    const std::string_view action = json::string_at(*directive, {});
    if (action == "delete") {
      original.clear();
      return {};
    }
    if (action == "replace") {
      original = std::move(plain(patch).get_object());
      return {};
    }
    if (action != "merge") {
      return bad_patch("unknown patch type: " + json::serialize(*directive) +
                       " in map: " + json::serialize(patch));
    }
  }
  if (auto done = apply_directives(original, patch, members); !done) return done;
  for (const auto& member : patch) {
    const std::string_view name = member.key();
    if (is_directive(name)) continue;
    const bool is_ordered = !member.value().is_null() &&
                            patch.contains(std::string(set_order_prefix) + std::string(name));
    if (is_ordered) continue;
    if (auto done = merge_member(original, name, member.value(), members); !done) return done;
  }
  return {};
}

}  // namespace

base::Result<json::Value> apply_strategic_merge(json::Value original, const json::Value& patch,
                                                const Type& type) {
  if (!patch.is_object() || !original.is_object()) {
    return bad_patch("a strategic merge patch must be a JSON object");
  }
  auto merged =
      merge_object(original.get_object(), patch.get_object(), {.type = &type, .element = nullptr});
  if (!merged) return base::fail(std::move(merged).error());
  return original;
}

}  // namespace koi::api
