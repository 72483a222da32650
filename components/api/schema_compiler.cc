// Turns components/api/schema/*.json into one C++ file of constant tables, at build time.
//
//   schema_compiler SCHEMA-DIRECTORY OUTPUT.cc
//
// A mistake in a description stops the build with the file and the name at fault.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "json/value.h"

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "schema_compiler: %s\n", message.c_str());
  std::exit(1);
}

std::string text_of(const Value& value, std::string_view key, std::string otherwise = {}) {
  const auto* found = json::find(value, {key});
  if (found == nullptr) return otherwise;
  return std::string(found->as_string());
}

// A string_view literal.
std::string literal(std::string_view text) {
  std::string out = "{\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\", " + std::to_string(text.size()) + "}";
}

// "terminationGracePeriodSeconds" as "Termination grace period seconds."
std::string words_of(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool upper = std::isupper(static_cast<unsigned char>(c)) != 0;
    const bool next_lower =
        i + 1 < name.size() && std::islower(static_cast<unsigned char>(name[i + 1])) != 0;
    const bool last_lower = i > 0 && std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
    if (upper && i > 0 && (last_lower || next_lower)) out += ' ';
    const bool starts_word = out.empty() || out.back() == ' ';
    const bool lowered = upper && starts_word && next_lower;
    out += lowered ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : c;
  }
  if (!out.empty()) out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out + ".";
}

// Rows of one table without duplicates; a row is known by its text.
class Table {
 public:
  std::size_t add(const std::string& row) {
    const auto [place, fresh] = index_.try_emplace(row, rows_.size());
    if (fresh) rows_.push_back(row);
    return place->second;
  }
  std::string text() const {
    std::string out;
    for (const auto& row : rows_) out += "    {" + row + "},\n";
    return out;
  }
  std::size_t size() const { return rows_.size(); }

 private:
  std::map<std::string, std::size_t> index_;
  std::vector<std::string> rows_;
};

class Compiler {
 public:
  explicit Compiler(const std::filesystem::path& directory) {
    words_ = read(directory / "words.json");
    groups_ = read(directory / "groups.json");
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const std::string stem = entry.path().stem().string();
      if (stem == "words" || stem == "groups" || entry.path().extension() != ".json") continue;
      documents_[stem] = read(entry.path());
    }
    for (const auto& [stem, document] : documents_) {
      for (const auto& member : json::object_at(document, {"types"})) {
        const std::string key = stem + "/" + std::string(member.key());
        by_name_[text_of(member.value(), "name")] = {key, stem, &member.value()};
      }
    }
    std::size_t index = 0;
    for (auto& [name, entry] : by_name_) type_index_[entry.key] = index++;
  }

  std::string compile() {
    for (const auto& [name, entry] : by_name_) add_type(name, entry);
    add_kinds();
    add_bodies();
    add_groups();
    return render();
  }

 private:
  struct Entry {
    std::string key;
    std::string stem;
    const Value* description = nullptr;
  };

  static Value read(const std::filesystem::path& path) {
    std::ifstream stream(path);
    std::stringstream text;
    text << stream.rdbuf();
    auto value = json::parse(text.str());
    if (!value) die(path.string() + ": " + value.error().message);
    return std::move(*value);
  }

  std::string list(const Array& items) {
    if (items.empty()) return "{}";
    std::string row;
    for (const auto& item : items) row += literal(item.as_string()) + ", ";
    const auto [place, fresh] = lists_.try_emplace(row, lists_.size());
    if (fresh)
      list_text_ += "constexpr std::string_view list_" + std::to_string(place->second) + "[] = {" +
                    row + "};\n";
    return "list_" + std::to_string(place->second);
  }

  std::string type_pointer(const std::string& key) {
    const auto found = type_index_.find(key);
    if (found == type_index_.end()) die("no type '" + key + "'");
    return "&types[" + std::to_string(found->second) + "]";
  }

  std::size_t shape(const std::string& text, const std::string& stem) {
    static const std::map<std::string, std::string> scalars = {
        {"string", "string"}, {"boolean", "boolean"}, {"int32", "int32"},
        {"int64", "int64"},   {"double", "number"},   {"bytes", "bytes"}};
    if (text.starts_with("[]") || text.starts_with("{}")) {
      const std::size_t element = shape(text.substr(2), stem);
      const std::string kind = text[0] == '[' ? "array" : "map";
      return shapes_.add("ShapeKind::" + kind + ", nullptr, &shapes[" + std::to_string(element) +
                         "]");
    }
    if (const auto scalar = scalars.find(text); scalar != scalars.end()) {
      return shapes_.add("ShapeKind::" + scalar->second + ", nullptr, nullptr");
    }
    const std::string key = text.find('/') == std::string::npos ? stem + "/" + text : text;
    const std::string pointer = type_pointer(key);
    const auto slash = key.find('/');
    const auto* description =
        json::find(documents_.at(key.substr(0, slash)), {"types", key.substr(slash + 1)});
    const std::string kind = text_of(*description, "scalar", "object");
    return shapes_.add("ShapeKind::" + kind + ", " + pointer + ", nullptr");
  }

  std::string rules(const Value& field) {
    static const std::map<std::string, std::string> strategies = {
        {"", "none"},
        {"merge", "merge"},
        {"replace", "replace"},
        {"retainKeys", "retain_keys"},
        {"merge,retainKeys", "merge_retain_keys"}};
    const auto* standard = json::find(field, {"default"});
    const std::string text = standard != nullptr ? json::serialize(*standard) : "";
    const std::string row = literal(text) + ", " + list(json::array_at(field, {"enum"})) +
                            ", ListType::" + text_of(field, "list", "atomic") + ", " +
                            list(json::array_at(field, {"keys"})) +
                            ", MapType::" + text_of(field, "map", "granular") +
                            ", PatchStrategy::" + strategies.at(text_of(field, "patch")) + ", " +
                            literal(text_of(field, "mergeKey"));
    return "&rules[" + std::to_string(rules_.add(row)) + "]";
  }

  void add_field(const Value& field, const std::string& stem) {
    const std::string name = text_of(field, "name");
    std::string path;
    for (const auto& number : json::array_at(field, {"proto"})) {
      path += std::to_string(number.as_int64()) + ", ";
    }
    const std::string doc = text_of(field, "doc", text_of(words_, name, words_of(name)));
    const bool required = json::bool_at(field, {"required"});
    field_text_ += "    {" + literal(name) + ", &shapes[" +
                   std::to_string(shape(text_of(field, "type"), stem)) + "], " + rules(field) +
                   ", " + literal(doc) + ", {" + path + "}, " + (required ? "true" : "false") +
                   ", " + (json::bool_at(field, {"pointer"}) ? "true" : "false") + ", " +
                   (json::bool_at(field, {"omitEmpty"}, true) ? "true" : "false") + "},\n";
  }

  void add_type(const std::string& name, const Entry& entry) {
    const Array& fields = json::array_at(*entry.description, {"fields"});
    const std::size_t first = field_count_;
    std::vector<std::size_t> order(fields.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return text_of(fields[a], "name") < text_of(fields[b], "name");
    });
    for (const auto& field : fields) add_field(field, entry.stem);
    for (const std::size_t index : order) order_text_ += std::to_string(index) + ", ";
    order_text_ += "\n    ";
    field_count_ += fields.size();
    const std::string by_proto = proto_order(fields);
    const std::string span = std::to_string(first) + ", " + std::to_string(fields.size());
    const std::string short_name = entry.key.substr(entry.key.find('/') + 1);
    type_text_ += "    {" + literal(name) + ", " +
                  literal(text_of(*entry.description, "doc", words_of(short_name))) +
                  ", {fields + " + span + "}, {by_name + " + span +
                  "}, MapType::" + text_of(*entry.description, "map", "granular") + ", " +
                  literal(text_of(*entry.description, "discriminator")) + ", false, " + by_proto +
                  "},\n";
  }

  // The span of indexes of `fields` by protobuf path.
  std::string proto_order(const Array& fields) {
    std::vector<std::pair<std::vector<std::int64_t>, std::size_t>> order;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      std::vector<std::int64_t> path;
      for (const auto& number : json::array_at(fields[i], {"proto"})) {
        path.push_back(number.as_int64());
      }
      if (!path.empty()) order.emplace_back(std::move(path), i);
    }
    std::sort(order.begin(), order.end());
    if (order.empty()) return "{}";
    for (const auto& [path, index] : order) proto_text_ += std::to_string(index) + ", ";
    proto_text_ += "\n    ";
    const std::string span =
        "{by_proto + " + std::to_string(proto_count_) + ", " + std::to_string(order.size()) + "}";
    proto_count_ += order.size();
    return span;
  }

  std::string subresources(const Value& kind) {
    const Array& items = json::array_at(kind, {"subresources"});
    if (items.empty()) return "{}";
    const std::size_t first = subresource_count_;
    for (const auto& item : items) {
      subresource_text_ +=
          "    {" + literal(text_of(item, "name")) + ", " + literal(text_of(item, "group")) + ", " +
          literal(text_of(item, "version")) + ", " + literal(text_of(item, "kind")) + ", " +
          list(json::array_at(item, {"verbs"})) + "},\n";
      ++subresource_count_;
    }
    return "{subresources + " + std::to_string(first) + ", " + std::to_string(items.size()) + "}";
  }

  static std::string api_version(const std::string& group, const std::string& version) {
    return group.empty() ? version : group + "/" + version;
  }

  void add_kind(const std::string& stem, const Value& document, const Value& kind) {
    const std::string name = text_of(kind, "kind");
    const std::string group = text_of(document, "group");
    const std::string version = text_of(document, "version");
    const bool listed = type_index_.contains(stem + "/" + name + "List");
    kind_text_ += "    {" + literal(group) + ", " + literal(version) + ", " + literal(name) + ", " +
                  literal(name + "List") + ", " + literal(text_of(kind, "plural")) + ", " +
                  literal(text_of(kind, "singular")) + ", " +
                  list(json::array_at(kind, {"shortNames"})) + ", " +
                  list(json::array_at(kind, {"categories"})) + ", " +
                  list(json::array_at(kind, {"verbs"})) + ", " + subresources(kind) + ", " +
                  type_pointer(stem + "/" + name) + ", " +
                  (listed ? type_pointer(stem + "/" + name + "List") : "nullptr") + ", " +
                  (json::bool_at(kind, {"namespaced"}) ? "true" : "false") + ", " +
                  literal(api_version(group, version)) + "},\n";
  }

  void add_kinds() {
    for (const auto& group : json::array_at(groups_, {"groups"})) {
      for (const auto& version : json::array_at(group, {"versions"})) {
        for (const auto& [stem, document] : documents_) {
          if (json::find(document, {"group"}) == nullptr) continue;
          if (text_of(document, "group") != text_of(group, "group")) continue;
          if (text_of(document, "version") != version.as_string()) continue;
          for (const auto& kind : json::array_at(document, {"kinds"})) {
            add_kind(stem, document, kind);
            ++kind_count_;
          }
        }
      }
    }
    std::size_t described = 0;
    for (const auto& [stem, document] : documents_) {
      described += json::array_at(document, {"kinds"}).size();
    }
    if (described != kind_count_) die("a group with kinds is missing in groups.json");
  }

  void add_bodies() {
    for (const auto& body : json::array_at(groups_, {"bodies"})) {
      const std::string group = text_of(body, "group");
      const std::string version = text_of(body, "version");
      body_text_ += "    {" + literal(group) + ", " + literal(version) + ", " +
                    literal(text_of(body, "kind")) + ", {}, {}, {}, {}, {}, {}, {}, " +
                    type_pointer(text_of(body, "type")) + ", nullptr, false, " +
                    literal(api_version(group, version)) + "},\n";
    }
  }

  void add_groups() {
    for (const auto& group : json::array_at(groups_, {"groups"})) {
      group_text_ += "    {" + literal(text_of(group, "group")) + ", " +
                     list(json::array_at(group, {"versions"})) + "},\n";
    }
  }

  std::string render() const {
    return "#include \"api/schema.h\"\n\nnamespace koi::api {\nnamespace {\n\n" + list_text_ +
           "\nextern const Type types[" + std::to_string(by_name_.size()) + "];\n" +
           "extern const Shape shapes[" + std::to_string(shapes_.size()) + "];\n" +
           "constinit const Shape shapes[] = {\n" + shapes_.text() +
           "};\nconstexpr FieldRules rules[] = {\n" + rules_.text() +
           "};\nconstexpr Field fields[] = {\n" + field_text_ +
           "};\nconstexpr std::uint8_t by_name[] = {\n    " + order_text_ +
           "};\nconstexpr std::uint8_t by_proto[] = {\n    " + proto_text_ +
           "};\nconstinit const Type types[] = {\n" + type_text_ +
           "};\nconstexpr Subresource subresources[] = {\n" + subresource_text_ +
           "};\nconstexpr Kind kinds[] = {\n" + kind_text_ + "};\nconstexpr Kind bodies[] = {\n" +
           body_text_ + "};\nconstexpr GroupVersions groups[] = {\n" + group_text_ +
           "};\nconstexpr Schema schema{kinds, bodies, types, groups};\n\n}  // namespace\n\n" +
           "const Schema& builtin_schema() { return schema; }\n\n}  // namespace koi::api\n";
  }

  Value words_;
  Value groups_;
  std::map<std::string, Value> documents_;
  std::map<std::string, Entry> by_name_;
  std::map<std::string, std::size_t> type_index_;
  std::map<std::string, std::size_t> lists_;
  Table shapes_;
  Table rules_;
  std::string list_text_, field_text_, order_text_, proto_text_, type_text_;
  std::string subresource_text_, kind_text_, body_text_, group_text_;
  std::size_t field_count_ = 0;
  std::size_t proto_count_ = 0;
  std::size_t subresource_count_ = 0;
  std::size_t kind_count_ = 0;
};

}  // namespace

}  // namespace koi::api

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: schema_compiler SCHEMA-DIRECTORY OUTPUT.cc\n");
    return 1;
  }
  koi::api::Compiler compiler{std::filesystem::path(argv[1])};
  std::ofstream(argv[2]) << compiler.compile();
  return 0;
}
