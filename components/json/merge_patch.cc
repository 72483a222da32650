#include "json/merge_patch.h"

namespace koi::json {

void apply_merge_patch(Value& target, const Value& patch) {
  const auto* changes = patch.if_object();
  if (changes == nullptr) {
    target = patch;
    return;
  }
  if (!target.is_object()) target.emplace_object();
  auto& object = target.get_object();
  for (const auto& [name, change] : *changes) {
    if (change.is_null()) {
      object.erase(name);
    } else {
      apply_merge_patch(object[name], change);
    }
  }
}

}  // namespace koi::json
