#include "node/option_table.h"

#include <algorithm>
#include <charconv>

#include "json/value.h"
#include "json/yaml.h"

namespace koi::node {

namespace {

using base::Code;
using base::Result;

// Levenshtein.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above + 1, row[j - 1] + 1});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string variable_of(std::string_view name) {
  std::string variable = "KOI_";
  for (const char c : name) {
    variable += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  }
  return variable;
}

Result<std::string> scalar_text(const json::Value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return std::string(value.get_bool() ? "true" : "false");
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  return base::fail(Code::invalid, "takes a plain value, not a mapping or null");
}

Result<std::vector<std::string>> config_values(const json::Value& value) {
  std::vector<std::string> values;
  const auto* items = value.if_array();
  const json::Array single{value};
  for (const json::Value& item : items != nullptr ? *items : single) {
    auto text = scalar_text(item);
    if (!text) return base::fail(std::move(text).error());
    values.push_back(std::move(*text));
  }
  return values;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (comma > 0) items.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

}  // namespace

std::string nearest_name(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return std::string(best);
}

OptionValues::OptionValues(std::span<const OptionSpec> table) : table_(table) {
  for (const OptionSpec& spec : table) {
    if (spec.default_value.empty()) continue;
    values_[std::string(spec.name)] = {{std::string(spec.default_value)}, "the default"};
  }
}

const OptionSpec* OptionValues::find(std::string_view name) const {
  const auto found = std::ranges::find(table_, name, &OptionSpec::name);
  return found != table_.end() ? &*found : nullptr;
}

base::Error OptionValues::unknown(std::string_view origin, std::string_view name) const {
  std::vector<std::string_view> names;
  for (const OptionSpec& spec : table_) names.push_back(spec.name);
  const std::string nearest = nearest_name(name, names);
  std::string message = std::string(origin) + ": unknown option '" + std::string(name) + "'";
  if (!nearest.empty()) message += ", did you mean '" + nearest + "'?";
  return {Code::invalid, message};
}

Result<> OptionValues::put(const OptionSpec& spec, std::vector<std::string> values,
                           std::string origin, bool append) {
  if (spec.kind != OptionKind::list && values.size() != 1) {
    return base::fail(Code::invalid,
                      origin + ": takes one value, got " + std::to_string(values.size()));
  }
  if (append && spec.kind != OptionKind::list) {
    return base::fail(Code::invalid, origin + ": only lists can be appended to with '+'");
  }
  OptionValue& entry = values_[std::string(spec.name)];
  if (append) {
    values.insert(values.begin(), entry.values.begin(), entry.values.end());
  }
  entry = {std::move(values), std::move(origin)};
  if (spec.kind == OptionKind::number) {
    if (auto checked = number(spec.name); !checked) return base::fail(std::move(checked).error());
  }
  if (spec.kind == OptionKind::flag) {
    if (auto checked = flag(spec.name); !checked) return base::fail(std::move(checked).error());
  }
  return {};
}

Result<> OptionValues::add_file(const std::string& path, std::string_view content) {
  auto document = json::parse_yaml(content);
  if (!document) return base::fail(std::move(document).error().during(path));
  if (document->is_null()) return {};
  const auto* mapping = document->if_object();
  if (mapping == nullptr) {
    return base::fail(Code::invalid, path + ": must be a mapping of option names to values");
  }
  for (const auto& [key, value] : *mapping) {
    std::string_view name(key.data(), key.size());
    const bool append = name.ends_with('+');
    if (append) name.remove_suffix(1);
    const OptionSpec* spec = find(name);
    if (spec == nullptr) return base::fail(unknown(path, name));
    const std::string origin = path + ": " + std::string(key);
    auto values = config_values(value);
    if (!values) return base::fail(std::move(values).error().during(origin));
    if (auto done = put(*spec, std::move(*values), origin, append); !done) return done;
  }
  return {};
}

Result<> OptionValues::add_environment(const std::map<std::string, std::string>& environment) {
  for (const OptionSpec& spec : table_) {
    const std::string variable = variable_of(spec.name);
    const auto found = environment.find(variable);
    if (found == environment.end()) continue;
    std::vector<std::string> values{found->second};
    if (spec.kind == OptionKind::list) values = split_list(found->second);
    if (auto done = put(spec, std::move(values), variable, false); !done) return done;
  }
  return {};
}

Result<> OptionValues::add_arguments(std::span<const std::string> arguments) {
  std::map<std::string_view, std::vector<std::string>> lists;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with("--")) {
      return base::fail(Code::invalid, "unexpected argument '" + arguments[i] + "'");
    }
    const auto equals = argument.find('=');
    const std::string_view name = argument.substr(2, equals == argument.npos ? equals : equals - 2);
    const OptionSpec* spec = find(name);
    if (spec == nullptr) return base::fail(unknown("command line", name));
    std::string value;
    if (equals != argument.npos) {
      value = argument.substr(equals + 1);
    } else if (spec->kind == OptionKind::flag) {
      value = "true";
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return base::fail(Code::invalid, "--" + std::string(name) + ": needs a value");
    }
    const std::string origin = "--" + std::string(name);
    std::vector<std::string> values{value};
    if (spec->kind == OptionKind::list) {
      auto& gathered = lists[spec->name];
      for (std::string& item : split_list(value)) gathered.push_back(std::move(item));
      values = gathered;
    }
    if (auto done = put(*spec, std::move(values), origin, false); !done) return done;
  }
  return {};
}

std::string OptionValues::text(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && !found->second.values.empty() ? found->second.values.front()
                                                                 : std::string();
}

Result<std::int64_t> OptionValues::number(std::string_view name) const {
  const std::string value = text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) {
    return base::fail(Code::invalid, origin(name) + ": '" + value + "' is not a whole number");
  }
  return number;
}

Result<bool> OptionValues::flag(std::string_view name) const {
  const std::string value = text(name);
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0" || value.empty()) return false;
  return base::fail(Code::invalid, origin(name) + ": '" + value + "' is neither true nor false");
}

std::vector<std::string> OptionValues::list(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() ? found->second.values : std::vector<std::string>();
}

std::string OptionValues::origin(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() ? found->second.origin : "the default";
}

bool OptionValues::is_set(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && found->second.origin != "the default";
}

Result<> add_config_files(OptionValues& values, base::Files& files, const base::Path& path,
                          bool required) {
  std::vector<base::Path> paths{path};
  base::Path drop_ins = path;
  drop_ins += ".d";
  if (const auto names = files.list(drop_ins)) {
    for (const std::string& name : *names) {
      if (name.ends_with(".yaml")) paths.push_back(drop_ins / name);
    }
  }
  for (const base::Path& file : paths) {
    auto content = files.read_all(file);
    if (!content && content.error().code == Code::not_found && !(required && file == path))
      continue;
    if (!content) return base::fail(std::move(content).error());
    if (auto added = values.add_file(file.string(), *content); !added) return added;
  }
  return {};
}

std::string describe_options(std::span<const OptionSpec> table) {
  std::string text;
  for (const OptionSpec& spec : table) {
    std::string left = "  --" + std::string(spec.name);
    if (spec.kind != OptionKind::flag) left += " " + std::string(spec.value_name);
    left.resize(std::max<std::size_t>(left.size() + 2, 38), ' ');
    text += left + std::string(spec.help);
    if (!spec.default_value.empty()) text += " (default " + std::string(spec.default_value) + ")";
    text += "\n";
  }
  return text;
}

}  // namespace koi::node
