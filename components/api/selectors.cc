#include "api/selectors.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/names.h"
#include "api/status.h"

namespace koi::api {

namespace {

using Operator = LabelRequirement::Operator;

constexpr std::size_t selector_bytes_max = 64 * 1024;

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

base::Result<LabelRequirement> make_requirement(std::string key, Operator op,
                                                std::vector<std::string> values) {
  if (const auto wrong = check_qualified_name(key)) {
    return base::fail(base::Code::invalid, invalid("key", json::Value(key), *wrong).message());
  }
  LabelRequirement requirement{.key = std::move(key), .op = op, .values = std::move(values)};
  if (op == Operator::greater_than || op == Operator::less_than) {
    const auto bound = whole_number(requirement.values.front());
    if (!bound) {
      return base::fail(base::Code::invalid,
                        invalid("values[0]", json::Value(requirement.values.front()),
                                "for 'Gt', 'Lt' operators, the value must be an integer")
                            .message());
    }
    requirement.bound = *bound;
  }
  for (std::size_t i = 0; i < requirement.values.size(); ++i) {
    const std::string& value = requirement.values[i];
    if (const auto wrong = check_label_value(value)) {
      const std::string field = "values[" + std::to_string(i) + "][" + requirement.key + "]";
      return base::fail(base::Code::invalid, invalid(field, json::Value(value), *wrong).message());
    }
  }
  std::ranges::sort(requirement.values);
  const auto repeated = std::ranges::unique(requirement.values);
  requirement.values.erase(repeated.begin(), repeated.end());
  return requirement;
}

// Recursive descent over the query form.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { advance(); }

  base::Result<std::vector<LabelRequirement>> run() {
    std::vector<LabelRequirement> requirements;
    while (!token_.empty()) {
      if (token_ != "!" && !is_word_) return unexpected("!, identifier, or 'end of string'");
      auto requirement = read_requirement();
      if (!requirement) return base::fail(requirement.error());
      requirements.push_back(std::move(*requirement));
      if (token_.empty()) break;
      if (token_ != ",") return unexpected("',' or 'end of string'");
      advance();
      if (token_ != "!" && !is_word_) return unexpected("identifier after ','");
    }
    return requirements;
  }

 private:
  static bool is_special(char c) {
    return std::string_view("=!(),><").find(c) != std::string_view::npos;
  }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

  void advance() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    const std::size_t start = at_;
    is_word_ = at_ < text_.size() && !is_special(text_[at_]);
    if (is_word_) {
      while (at_ < text_.size() && !is_special(text_[at_]) && !is_space(text_[at_])) ++at_;
    } else if (at_ < text_.size()) {
      const std::string_view pair = text_.substr(at_, 2);
      at_ += pair == "==" || pair == "!=" ? 2 : 1;
    }
    token_ = text_.substr(start, at_ - start);
  }

  std::unexpected<base::Error> unexpected(std::string_view expected) const {
    return base::fail(base::Code::invalid,
                      "found '" + std::string(token_) + "', expected: " + std::string(expected));
  }

  base::Result<LabelRequirement> read_requirement() {
    const bool is_negated = token_ == "!";
    if (is_negated) advance();
    if (!is_word_) return unexpected("identifier");
    std::string key(token_);
    advance();
    if (is_negated) return make_requirement(std::move(key), Operator::does_not_exist, {});
    if (token_.empty() || token_ == ",") {
      return make_requirement(std::move(key), Operator::exists, {});
    }
    const std::string_view op = token_;
    advance();
    if (op == "in" || op == "notin") {
      auto values = read_values();
      if (!values) return base::fail(values.error());
      return make_requirement(std::move(key), op == "in" ? Operator::in : Operator::not_in,
                              std::move(*values));
    }
    static constexpr std::pair<std::string_view, Operator> operators[] = {
        {"=", Operator::in},
        {"==", Operator::in},
        {"!=", Operator::not_in},
        {">", Operator::greater_than},
        {"<", Operator::less_than}};
    for (const auto& [spelling, meaning] : operators) {
      if (op != spelling) continue;
      std::string value;
      if (is_word_) {
        value = token_;
        advance();
      } else if (!token_.empty() && token_ != ",") {
        return unexpected("identifier");
      }
      return make_requirement(std::move(key), meaning, {std::move(value)});
    }
    return base::fail(base::Code::invalid,
                      "found '" + std::string(op) + "', expected: in, notin, =, ==, !=, gt, lt");
  }

  base::Result<std::vector<std::string>> read_values() {
    if (token_ != "(") return unexpected("'('");
    std::vector<std::string> values;
    std::string value;
    for (advance(); token_ != ")"; advance()) {
      if (token_ == ",") {
        values.push_back(std::exchange(value, {}));
      } else if (is_word_ && value.empty()) {
        value = token_;
      } else {
        return unexpected("',' or ')'");
      }
    }
    values.push_back(std::move(value));
    advance();
    return values;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view token_;
  bool is_word_ = false;
};

bool holds(const LabelRequirement& requirement, const json::Object& labels) {
  const json::Value* found = labels.if_contains(requirement.key);
  const auto* text = found != nullptr ? found->if_string() : nullptr;
  switch (requirement.op) {
    case Operator::exists:
      return text != nullptr;
    case Operator::does_not_exist:
      return text == nullptr;
    case Operator::in:
      return text != nullptr && std::ranges::binary_search(requirement.values, view(*text));
    case Operator::not_in:
      return text == nullptr || !std::ranges::binary_search(requirement.values, view(*text));
    case Operator::greater_than:
    case Operator::less_than:
      break;
  }
  const auto number = text != nullptr ? whole_number(view(*text)) : std::nullopt;
  if (!number) return false;
  return requirement.op == Operator::greater_than ? *number > requirement.bound
                                                  : *number < requirement.bound;
}

std::string requirement_text(const LabelRequirement& requirement) {
  std::string list;
  for (const std::string& value : requirement.values) {
    if (!list.empty()) list += ",";
    list += value;
  }
  const bool is_single = requirement.values.size() == 1;
  switch (requirement.op) {
    case Operator::exists:
      return requirement.key;
    case Operator::does_not_exist:
      return "!" + requirement.key;
    case Operator::in:
      return is_single ? requirement.key + "=" + list : requirement.key + " in (" + list + ")";
    case Operator::not_in:
      return is_single ? requirement.key + "!=" + list : requirement.key + " notin (" + list + ")";
    case Operator::greater_than:
      return requirement.key + ">" + list;
    case Operator::less_than:
      return requirement.key + "<" + list;
  }
  return {};
}

base::Result<LabelRequirement> read_expression(const json::Value& expression) {
  static constexpr std::pair<std::string_view, Operator> operators[] = {
      {"In", Operator::in},
      {"NotIn", Operator::not_in},
      {"Exists", Operator::exists},
      {"DoesNotExist", Operator::does_not_exist}};
  const std::string_view name = json::string_at(expression, {"operator"});
  const auto* const found =
      std::ranges::find(operators, name, [](const auto& o) { return o.first; });
  if (found == std::end(operators)) {
    return base::fail(base::Code::invalid,
                      quoted(name) + " is not a valid label selector operator");
  }
  std::vector<std::string> values;
  for (const json::Value& value : json::array_at(expression, {"values"})) {
    values.emplace_back(json::string_at(value, {}));
  }
  const bool needs_values = found->second == Operator::in || found->second == Operator::not_in;
  if (needs_values && values.empty()) {
    return base::fail(base::Code::invalid,
                      "values: Invalid value: []: for 'in', 'notin' operators, values set can't "
                      "be empty");
  }
  if (!needs_values && !values.empty()) {
    return base::fail(
        base::Code::invalid,
        "values: Invalid value: " + json::serialize(*json::find(expression, {"values"})) +
            ": values set must be empty for exists and does not exist");
  }
  return make_requirement(std::string(json::string_at(expression, {"key"})), found->second,
                          std::move(values));
}

}  // namespace

base::Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  if (text.size() > selector_bytes_max) {
    return base::fail(base::Code::too_large, "label selector is longer than " +
                                                 std::to_string(selector_bytes_max) + " bytes");
  }
  auto requirements = Parser(text).run();
  if (!requirements) {
    return base::fail(std::move(requirements).error().during("unable to parse requirement"));
  }
  LabelSelector selector;
  selector.requirements_ = std::move(*requirements);
  return selector;
}

base::Result<LabelSelector> LabelSelector::from_object(const json::Value* selector) {
  LabelSelector result;
  if (selector == nullptr || selector->is_null()) {
    result.matches_nothing_ = true;
    return result;
  }
  result = from_map(json::object_at(*selector, {"matchLabels"}));
  for (const json::Value& expression : json::array_at(*selector, {"matchExpressions"})) {
    auto requirement = read_expression(expression);
    if (!requirement) return base::fail(requirement.error());
    result.requirements_.push_back(std::move(*requirement));
  }
  return result;
}

LabelSelector LabelSelector::from_map(const json::Object& labels) {
  LabelSelector result;
  for (const auto& member : labels) {
    const auto* text = member.value().if_string();
    result.requirements_.push_back({.key = std::string(member.key()),
                                    .op = Operator::in,
                                    .values = {text != nullptr ? std::string(view(*text)) : ""}});
  }
  return result;
}

bool LabelSelector::matches(const json::Object& labels) const {
  if (matches_nothing_) return false;
  return std::ranges::all_of(requirements_, [&labels](const LabelRequirement& requirement) {
    return holds(requirement, labels);
  });
}

bool LabelSelector::matches_object(const json::Value& object) const {
  return matches(json::object_at(object, {"metadata", "labels"}));
}

std::string LabelSelector::str() const {
  std::vector<std::string> parts;
  parts.reserve(requirements_.size());
  for (const LabelRequirement& requirement : requirements_) {
    parts.push_back(requirement_text(requirement));
  }
  std::ranges::sort(parts);
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += ",";
    text += part;
  }
  return text;
}

}  // namespace koi::api
