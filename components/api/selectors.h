#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

// Label and field selectors: compiled once, then matched against many objects. Values, any thread.
namespace koi::api {

// One condition on one label.
struct LabelRequirement {
  enum class Operator { in, not_in, exists, does_not_exist, greater_than, less_than };

  std::string key;
  Operator op = Operator::exists;
  // Sorted. What `in` and `not_in` compare with; "a=b" is `in` with one value.
  std::vector<std::string> values;
  // What the two comparisons compare with.
  std::int64_t bound = 0;
};

// All of its requirements must hold; one without requirements matches everything.
class LabelSelector {
 public:
  // Matches every object.
  LabelSelector() = default;

  // The query form: "app=web,tier in (a,b),!legacy,env!=dev". Messages as clients know them.
  static base::Result<LabelSelector> parse(std::string_view text);
  // A metav1.LabelSelector. `{}` matches everything; null (absent) matches nothing.
  static base::Result<LabelSelector> from_object(const json::Value* selector);
  // A plain map as in Service.spec.selector: every pair must be there.
  static LabelSelector from_map(const json::Object& labels);

  bool matches(const json::Object& labels) const;
  // Looks at metadata.labels.
  bool matches_object(const json::Value& object) const;
  bool is_everything() const { return requirements_.empty() && !matches_nothing_; }
  const std::vector<LabelRequirement>& requirements() const { return requirements_; }
  // The query form, sorted by key.
  std::string str() const;

 private:
  std::vector<LabelRequirement> requirements_;
  bool matches_nothing_ = false;
};

// The kind of the objects that a field selector is for.
struct FieldScope {
  std::string_view group{};
  std::string_view version{};
  std::string_view kind{};
  // Paths that a custom resource declares as selectable, without the leading dot.
  std::vector<std::string> selectable{};
};

// Terms "path=value" and "path!=value" over the few fields that a kind supports. A field that is
// absent from an object has its zero value: "", "false" or "0".
class FieldSelector {
 public:
  // Matches every object.
  FieldSelector() = default;

  // Refuses fields that the kind does not support: "field label not supported: x".
  static base::Result<FieldSelector> parse(std::string_view text, const FieldScope& scope);

  bool matches(const json::Value& object) const;
  bool is_everything() const { return terms_.empty(); }
  // The value that `field` must have, if the selector says so: lets a list by name or node skip the
  // rest of the store.
  std::optional<std::string_view> required_value(std::string_view field) const;

 private:
  struct Term {
    std::string field;
    std::string value;
    bool is_equal = true;
    // Where the value is looked for; the first that is there counts.
    std::vector<std::vector<std::string>> paths;
    std::string_view zero;
  };

  std::vector<Term> terms_;
};

}  // namespace koi::api
