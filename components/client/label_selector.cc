#include "client/label_selector.h"

#include <algorithm>

namespace koi::client {

base::Result<LabelSelector> LabelSelector::parse(const json::Value& selector) {
  LabelSelector parsed;
  if (selector.is_null()) return parsed;
  parsed = from_map(json::object_at(selector, {"matchLabels"}));
  for (const auto& expression : json::array_at(selector, {"matchExpressions"})) {
    Requirement requirement;
    requirement.key = json::string_at(expression, {"key"});
    const auto op = json::string_at(expression, {"operator"});
    if (op == "In") {
      requirement.op = Operator::in;
    } else if (op == "NotIn") {
      requirement.op = Operator::not_in;
    } else if (op == "Exists") {
      requirement.op = Operator::exists;
    } else if (op == "DoesNotExist") {
      requirement.op = Operator::does_not_exist;
    } else {
      return base::fail(base::Code::invalid,
                        "'" + std::string(op) + "' is not a label selector operator");
    }
    for (const auto& value : json::array_at(expression, {"values"})) {
      requirement.values.emplace_back(json::string_at(value, {}));
    }
    parsed.requirements_.push_back(std::move(requirement));
  }
  return parsed;
}

LabelSelector LabelSelector::from_map(const json::Object& labels) {
  LabelSelector parsed;
  parsed.nothing_ = false;
  for (const auto& [key, value] : labels) {
    parsed.requirements_.push_back(
        {.key = key, .op = Operator::in, .values = {std::string(json::string_at(value, {}))}});
  }
  return parsed;
}

bool LabelSelector::holds(const Requirement& requirement, const json::Object& labels) {
  const auto* value = labels.if_contains(requirement.key);
  switch (requirement.op) {
    case Operator::exists:
      return value != nullptr;
    case Operator::does_not_exist:
      return value == nullptr;
    case Operator::in:
    case Operator::not_in:
      break;
  }
  const bool found =
      value != nullptr && std::find(requirement.values.begin(), requirement.values.end(),
                                    json::string_at(*value, {})) != requirement.values.end();
  return found == (requirement.op == Operator::in);
}

bool LabelSelector::matches(const json::Object& labels) const {
  if (nothing_) return false;
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&labels](const Requirement& each) { return holds(each, labels); });
}

const json::Object& labels_of(const json::Value& object) {
  return json::object_at(object, {"metadata", "labels"});
}

}  // namespace koi::client
