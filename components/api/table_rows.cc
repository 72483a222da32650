#include "api/table_rows.h"

#include <algorithm>

#include "api/selectors.h"

namespace koi::api::tables {

void Row::text(std::string_view cell) {
  cells_.emplace_back(boost::json::string(cell.data(), cell.size()));
}

void Row::text_at(json::Path path, std::string_view otherwise) {
  const std::string_view found = json::string_at(object_, path);
  text(found.empty() ? otherwise : found);
}

void Row::number_at(json::Path path, std::int64_t otherwise) {
  number(json::int_at(object_, path, otherwise));
}

std::string Row::since(std::string_view time) const {
  const auto parsed = base::parse_time(time);
  if (!parsed) return "<unknown>";
  return human_duration(now_ - *parsed);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

std::string join_some(const std::vector<std::string>& parts, std::size_t shown) {
  if (parts.size() <= shown) return join(parts, ",");
  const std::vector<std::string> first(parts.begin(),
                                       parts.begin() + static_cast<std::ptrdiff_t>(shown));
  return join(first, ",") + " + " + std::to_string(parts.size() - shown) + " more...";
}

std::string format_labels(const json::Object& labels) {
  std::vector<std::string> parts;
  for (const auto& label : labels) {
    parts.push_back(std::string(label.key()) + "=" +
                    std::string(json::string_at(label.value(), {})));
  }
  if (parts.empty()) return "<none>";
  std::ranges::sort(parts);
  return join(parts, ",");
}

std::string format_selector(const json::Value* selector) {
  const auto parsed = LabelSelector::from_object(selector);
  if (!parsed) return "<error>";
  std::string text = parsed->str();
  return text.empty() ? "<none>" : text;
}

std::vector<std::string> collect(const json::Array& list, std::string_view member) {
  std::vector<std::string> values;
  values.reserve(list.size());
  for (const json::Value& item : list) values.emplace_back(json::string_at(item, {member}));
  return values;
}

std::string scalar_text(const json::Value* value) {
  if (value == nullptr || value->is_object() || value->is_array() || value->is_null()) return {};
  if (value->is_string()) return std::string(json::string_at(*value, {}));
  return json::serialize(*value);
}

void print_containers(Row& row, json::Path containers) {
  const json::Array& list = json::array_at(row.object(), containers);
  row.text(join(collect(list, "name"), ","));
  row.text(join(collect(list, "image"), ","));
}

bool has_condition(const json::Value& object, std::string_view type) {
  return std::ranges::any_of(json::array_at(object, {"status", "conditions"}),
                             [type](const json::Value& condition) {
                               return json::string_at(condition, {"type"}) == type &&
                                      json::string_at(condition, {"status"}) == "True";
                             });
}

}  // namespace koi::api::tables
