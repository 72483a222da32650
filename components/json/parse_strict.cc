#include "json/parse_strict.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <unordered_set>
#include <utility>

#include "base/limits.h"

namespace koi::json {

namespace {

// Members of every object below, each name once.
std::size_t count_members(const Value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) {
      if (member.value().is_structured()) count += count_members(member.value());
    }
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) {
      if (item.is_structured()) count += count_members(item);
    }
  }
  return count;
}

// Follows the text and keeps the names of each open object.
class DuplicateFinder {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Error = boost::system::error_code;
  using Text = boost::json::string_view;

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) {
    open_.push_back({});
    return true;
  }
  bool on_object_end(std::size_t, Error&) { return close(); }
  bool on_array_begin(Error&) {
    open_.push_back({.array = true});
    return true;
  }
  bool on_array_end(std::size_t, Error&) { return close(); }
  bool on_key_part(Text part, std::size_t, Error&) {
    key_ += std::string_view(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, std::size_t, Error&) {
    key_ += std::string_view(part.data(), part.size());
    Level& level = open_.back();
    level.key = key_;
    if (!level.names.insert(std::exchange(key_, {})).second) report();
    return true;
  }
  bool on_string_part(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return next(); }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(std::int64_t, Text, Error&) { return next(); }
  bool on_uint64(std::uint64_t, Text, Error&) { return next(); }
  bool on_double(double, Text, Error&) { return next(); }
  bool on_bool(bool, Error&) { return next(); }
  bool on_null(Error&) { return next(); }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  struct Level {
    bool array = false;
    std::size_t index = 0;
    std::string key{};
    std::unordered_set<std::string> names{};
  };

  // A value ended: the next one of an array has the next index.
  bool next() {
    if (!open_.empty()) open_.back().index += 1;
    return true;
  }
  bool close() {
    open_.pop_back();
    return next();
  }

  void report() {
    if (found_.size() >= duplicates_max) return;
    std::string path;
    for (const auto& level : open_) {
      if (level.array) {
        path += "[" + std::to_string(level.index) + "]";
      } else {
        path += (path.empty() ? "" : ".") + level.key;
      }
    }
    if (std::find(found_.begin(), found_.end(), path) == found_.end()) {
      found_.push_back(std::move(path));
    }
  }

  std::string key_;
  std::vector<Level> open_;
  std::vector<std::string> found_;
};

// Counts members as they are written.
struct MemberCounter : DuplicateFinder {
  std::size_t members = 0;
  bool on_object_begin(Error&) { return true; }
  bool on_object_end(std::size_t count, Error&) {
    members += count;
    return true;
  }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_key_part(Text, std::size_t, Error&) { return true; }
  bool on_key(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return true; }
  bool on_int64(std::int64_t, Text, Error&) { return true; }
  bool on_uint64(std::uint64_t, Text, Error&) { return true; }
  bool on_double(double, Text, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
};

template <class Handler>
Handler follow(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = base::limits::json_depth_max;
  boost::json::basic_parser<Handler> parser(options);
  boost::system::error_code error;
  parser.write_some(false, text.data(), text.size(), error);
  return std::move(parser.handler());
}

}  // namespace

base::Result<StrictValue> parse_strict(std::string_view text) {
  auto value = parse(text);
  if (!value) return base::fail(std::move(value).error());
  StrictValue out{.value = std::move(*value), .duplicates = {}};
  if (follow<MemberCounter>(text).members != count_members(out.value)) {
    out.duplicates = follow<DuplicateFinder>(text).take();
  }
  return out;
}

}  // namespace koi::json
