#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace koi::client {

// A metav1.LabelSelector, parsed once and matched often.
class LabelSelector {
 public:
  // Matches nothing.
  LabelSelector() = default;

  // From {"matchLabels": ..., "matchExpressions": ...}. An empty selector matches everything, a
  // null one nothing. Fails with invalid on an unknown operator.
  static base::Result<LabelSelector> parse(const json::Value& selector);
  // From the plain map of a Service or ReplicationController.
  static LabelSelector from_map(const json::Object& labels);

  bool matches(const json::Object& labels) const;
  // True when it has no requirement at all.
  bool is_empty() const { return !nothing_ && requirements_.empty(); }

 private:
  enum class Operator { in, not_in, exists, does_not_exist };
  struct Requirement {
    std::string key;
    Operator op = Operator::in;
    std::vector<std::string> values;
  };

  static bool holds(const Requirement& requirement, const json::Object& labels);

  bool nothing_ = true;
  std::vector<Requirement> requirements_;
};

// The labels of an object's metadata.
const json::Object& labels_of(const json::Value& object);

}  // namespace koi::client
