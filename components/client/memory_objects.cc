#include "client/memory_objects.h"

#include <functional>
#include <optional>

#include "api/selectors.h"

namespace koi::client {

namespace {

using Lookup = std::function<std::optional<std::string>(std::string_view key)>;

bool holds(std::string_view term, const Lookup& lookup) {
  if (const auto at = term.find("!="); at != std::string_view::npos) {
    return lookup(term.substr(0, at)) != std::string(term.substr(at + 2));
  }
  const auto at = term.find('=');
  if (at == std::string_view::npos) return lookup(term).has_value();
  const auto skip = term.substr(at).starts_with("==") ? 2U : 1U;
  return lookup(term.substr(0, at)) == std::string(term.substr(at + skip));
}

bool all_hold(std::string_view selector, const Lookup& lookup) {
  while (!selector.empty()) {
    const auto comma = selector.find(',');
    if (!holds(selector.substr(0, comma), lookup)) return false;
    if (comma == std::string_view::npos) break;
    selector.remove_prefix(comma + 1);
  }
  return true;
}

}  // namespace

bool matches_labels(const json::Value& object, std::string_view selector) {
  const auto parsed = api::LabelSelector::parse(selector);
  return parsed && parsed->matches_object(object);
}

bool matches_fields(const json::Value& object, std::string_view selector) {
  const Lookup lookup = [&object](std::string_view key) -> std::optional<std::string> {
    const json::Value* at = &object;
    while (!key.empty() && at != nullptr) {
      const auto dot = key.find('.');
      at = json::find(*at, {key.substr(0, dot)});
      key = dot == std::string_view::npos ? std::string_view() : key.substr(dot + 1);
    }
    return at != nullptr ? std::string(json::string_at(*at, {})) : std::string();
  };
  return all_hold(selector, lookup);
}

void merge_patch(json::Value& target, const json::Value& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = json::Object();
  auto& object = target.as_object();
  for (const auto& [key, value] : patch.as_object()) {
    if (value.is_null()) {
      object.erase(key);
    } else {
      merge_patch(object[key], value);
    }
  }
}

}  // namespace koi::client
