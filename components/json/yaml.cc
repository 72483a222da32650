#include "json/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/limits.h"

namespace koi::json {

namespace {

using base::Code;
using base::Result;

base::Error yaml_error(const YAML::Mark& mark, const std::string& message) {
  if (mark.is_null()) return {Code::invalid, message};
  return {Code::invalid, "line " + std::to_string(mark.line + 1) + ": " + message};
}

template <class Number>
bool read_number(std::string_view text, Number& number, int radix = 10) {
  const char* const end = text.data() + text.size();
  if constexpr (std::is_floating_point_v<Number>) {
    const auto [at, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && at == end;
  } else {
    const auto [at, error] = std::from_chars(text.data(), end, number, radix);
    return error == std::errc{} && at == end;
  }
}

Value plain_integer(std::string_view text) {
  std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  int radix = 10;
  if (digits.starts_with("0x")) radix = 16;
  if (digits.starts_with("0o")) radix = 8;
  if (digits.starts_with("0b")) radix = 2;
  if (radix != 10) {
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits.front() == '0' &&
             digits.find_first_not_of("01234567") == digits.npos) {
    // File modes such as 0644 are octal, as every Kubernetes client reads them.
    radix = 8;
  }
  if (digits.empty() || digits.find_first_of("+") != digits.npos) return nullptr;
  std::int64_t number = 0;
  if (read_number(digits, number, radix)) return number;
  std::uint64_t large = 0;
  if (read_number(digits, large, radix)) return large;
  return nullptr;
}

Value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const bool numeric =
      text.find_first_of("0123456789") != text.npos &&
      std::string_view("+-.0123456789").find(text.front()) != std::string_view::npos;
  if (numeric) {
    if (Value integer = plain_integer(text); !integer.is_null()) return integer;
    double number = 0;
    const bool looks_real = text.find_first_of(".eE") != text.npos && text.find('_') == text.npos;
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    if (looks_real && read_number(digits, number) && std::isfinite(number)) return number;
  }
  return Value(text);
}

// Turns yaml-cpp's tree into JSON. An alias repeats its anchor's tree, so the values made are
// counted.
class Converter {
 public:
  Result<Value> convert(const YAML::Node& node, std::size_t depth = 0) {
    if (depth > base::limits::json_depth_max) {
      return base::fail(yaml_error(node.Mark(), "nested too deeply"));
    }
    if (++values_ > values_max) {
      return base::fail(yaml_error(node.Mark(), "aliases expand to too much"));
    }
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Value(nullptr);
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence:
        return sequence(node, depth);
      case YAML::NodeType::Map:
        return mapping(node, depth);
    }
    return Value(nullptr);
  }

 private:
  static constexpr std::size_t values_max = base::limits::yaml_alias_expansions_max * 500;

  static Result<Value> scalar(const YAML::Node& node) {
    // yaml-cpp tags quoted scalars "!" and plain ones "?".
    const std::string& tag = node.Tag();
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(node.Scalar());
    return plain_scalar(node.Scalar());
  }

  Result<Value> sequence(const YAML::Node& node, std::size_t depth) {
    Array array;
    for (const YAML::Node& item : node) {
      auto value = convert(item, depth + 1);
      if (!value) return value;
      array.push_back(std::move(*value));
    }
    return Value(std::move(array));
  }

  Result<Value> mapping(const YAML::Node& node, std::size_t depth) {
    Object object;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) {
        return base::fail(yaml_error(member.first.Mark(), "a key must be plain text"));
      }
      const std::string& key = member.first.Scalar();
      if (key == "<<" && member.first.Tag() == "?") {
        if (auto merged = merge(object, member.second, depth); !merged) {
          return base::fail(std::move(merged).error());
        }
        continue;
      }
      auto value = convert(member.second, depth + 1);
      if (!value) return value;
      if (!object.emplace(key, std::move(*value)).second) {
        return base::fail(
            yaml_error(member.first.Mark(), "key \"" + key + "\" already set in map"));
      }
    }
    return Value(std::move(object));
  }

  Result<> merge(Object& object, const YAML::Node& node, std::size_t depth) {
    auto source = convert(node, depth + 1);
    if (!source) return base::fail(std::move(source).error());
    if (!source->is_object()) {
      return base::fail(yaml_error(node.Mark(), "'<<' takes a mapping"));
    }
    for (const auto& [key, value] : source->get_object()) object.emplace(key, value);
    return {};
  }

  std::size_t values_ = 0;
};

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  if (!plain_scalar(std::string(text)).is_string()) return true;
  static const std::set<std::string, std::less<>> words{"y",   "n",  "yes", "no", "on", "off",
                                                        "Y",   "N",  "Yes", "No", "On", "Off",
                                                        "YES", "NO", "ON",  "OFF"};
  if (words.contains(text)) return true;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@` ").find(text.front()) != std::string_view::npos) {
    const bool harmless = (text.front() == '-' || text.front() == '?' || text.front() == ':') &&
                          text.size() > 1 && text[1] != ' ';
    if (!harmless) return true;
  }
  if (text.back() == ' ' || text.back() == ':') return true;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos) return true;
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool fits_block_text(std::string_view text) {
  if (text.find('\n') == text.npos || text.front() == ' ' || text.front() == '\n') return false;
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'; });
}

class Writer {
 public:
  std::string text;

  void document(const Value& value) {
    if (is_inline(value)) {
      scalar(value, 0);
      text += '\n';
    } else {
      block(value, 0);
    }
  }

 private:
  static bool is_inline(const Value& value) {
    if (const auto* object = value.if_object()) return object->empty();
    if (const auto* array = value.if_array()) return array->empty();
    return true;
  }

  void block(const Value& value, std::size_t indent) {
    if (const auto* object = value.if_object()) {
      members(*object, indent, false);
      return;
    }
    for (const Value& item : value.get_array()) {
      text.append(indent, ' ');
      text += "- ";
      if (is_inline(item)) {
        scalar(item, indent + 2);
        text += '\n';
      } else if (const auto* object = item.if_object()) {
        members(*object, indent + 2, true);
      } else {
        // A sequence directly inside a sequence: the first dash continues the line.
        const std::size_t start = text.size();
        block(item, indent + 2);
        text.erase(start, indent + 2);
      }
    }
  }

  void members(const Object& object, std::size_t indent, bool first_is_placed) {
    std::vector<const Object::value_type*> sorted;
    for (const auto& member : object) sorted.push_back(&member);
    std::ranges::sort(sorted, {},
                      [](const auto* member) { return std::string_view(member->key()); });
    for (const auto* member : sorted) {
      if (!first_is_placed) text.append(indent, ' ');
      first_is_placed = false;
      string(member->key(), indent);
      text += ':';
      const Value& value = member->value();
      if (is_inline(value)) {
        text += ' ';
        scalar(value, indent + 2);
        text += '\n';
        continue;
      }
      text += '\n';
      block(value, value.is_array() ? indent : indent + 2);
    }
  }

  void scalar(const Value& value, std::size_t indent) {
    if (value.is_string()) {
      string(std::string_view(value.get_string()), indent);
    } else if (value.is_object()) {
      text += "{}";
    } else if (value.is_array()) {
      text += "[]";
    } else {
      text += serialize(value);
    }
  }

  void string(std::string_view value, std::size_t indent) {
    if (fits_block_text(value)) {
      block_text(value, indent);
    } else if (needs_quotes(value)) {
      text += serialize(Value(value));
    } else {
      text += value;
    }
  }

  void block_text(std::string_view value, std::size_t indent) {
    const bool ends = value.ends_with('\n');
    text += ends ? (value.ends_with("\n\n") ? "|+" : "|") : "|-";
    if (ends) value.remove_suffix(1);
    while (true) {
      const auto end = value.find('\n');
      text += '\n';
      const std::string_view line = value.substr(0, end);
      if (!line.empty()) text.append(indent, ' ');
      text += line;
      if (end == value.npos) return;
      value.remove_prefix(end + 1);
    }
  }
};

}  // namespace

Result<Value> parse_yaml(std::string_view text) {
  auto documents = parse_yaml_stream(text);
  if (!documents) return base::fail(std::move(documents).error());
  if (documents->empty()) return Value(nullptr);
  if (documents->size() > 1) {
    return base::fail(Code::invalid,
                      "holds " + std::to_string(documents->size()) + " documents, expected one");
  }
  return std::move(documents->front());
}

Result<std::vector<Value>> parse_yaml_stream(std::string_view text) {
  std::vector<Value> values;
  try {
    for (const YAML::Node& document : YAML::LoadAll(std::string(text))) {
      Converter converter;
      auto value = converter.convert(document);
      if (!value) return base::fail(std::move(value).error());
      if (!value->is_null()) values.push_back(std::move(*value));
    }
  } catch (const YAML::Exception& error) {
    return base::fail(yaml_error(error.mark, error.msg));
  }
  return values;
}

std::string to_yaml(const Value& value) {
  Writer writer;
  writer.document(value);
  return std::move(writer.text);
}

}  // namespace koi::json
