#include "json/json_patch.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/limits.h"

namespace koi::json {

namespace {

using base::Code;
using base::Result;

constexpr std::size_t operations_max = 10'000;
// A short patch can copy a value into itself until memory is full, or move values into each other
// until they nest deeper than any stack: what copies add and what all operations look through is
// counted.
constexpr std::size_t copied_bytes_max = base::limits::request_body_bytes_max;
constexpr std::size_t visited_values_max = 5'000'000;

using Pointer = std::vector<std::string>;

std::unexpected<base::Error> invalid(std::string message) {
  return base::fail(Code::invalid, std::move(message));
}

// RFC 6901.
Result<Pointer> parse_pointer(std::string_view text) {
  Pointer pointer;
  if (text.empty()) return pointer;
  if (text.front() != '/') return invalid("path '" + std::string(text) + "' must begin with '/'");
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '/') {
      pointer.emplace_back();
    } else if (text[i] != '~') {
      pointer.back() += text[i];
    } else if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
      pointer.back() += text[++i] == '0' ? '~' : '/';
    } else {
      return invalid("path '" + std::string(text) + "' has a broken '~' escape");
    }
  }
  return pointer;
}

std::string render(const Pointer& pointer) {
  std::string text;
  for (const std::string& step : pointer) text += "/" + step;
  return text.empty() ? "the whole document" : "'" + text + "'";
}

struct Extent {
  std::size_t values = 0;
  std::size_t bytes = 0;  // about what it takes as text
  std::size_t depth = 0;
};

void measure(const Value& value, std::size_t depth, Extent& extent) {
  extent.values += 1;
  extent.depth = std::max(extent.depth, depth);
  constexpr std::size_t punctuation_bytes = 4;
  extent.bytes += punctuation_bytes;
  if (const auto* text = value.if_string()) {
    extent.bytes += text->size();
  } else if (const auto* array = value.if_array()) {
    for (const Value& item : *array) measure(item, depth + 1, extent);
  } else if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      extent.bytes += member.key().size();
      measure(member.value(), depth + 1, extent);
    }
  }
}

// What the operations of one patch have cost so far.
class Costs {
 public:
  // Refuses to place `value` below `pointer` where that nests too deep or costs too much.
  Result<> place(const Value& value, const Pointer& pointer, bool is_copy) {
    Extent extent;
    measure(value, 1, extent);
    visited_ += extent.values;
    copied_bytes_ += is_copy ? extent.bytes : 0;
    if (extent.depth + pointer.size() > base::limits::json_depth_max) {
      return base::fail(Code::too_large, render(pointer) + " would nest too deeply");
    }
    if (copied_bytes_ > copied_bytes_max || visited_ > visited_values_max) {
      return base::fail(Code::too_large, "the copy operations add too much");
    }
    return {};
  }

 private:
  std::size_t visited_ = 0;
  std::size_t copied_bytes_ = 0;
};

// An index into an array of `size` elements; `end` allows the place behind the last ("-" or size).
Result<std::size_t> array_index(const std::string& step, std::size_t size, bool end) {
  if (end && step == "-") return size;
  std::size_t index = 0;
  const char* const stop = step.data() + step.size();
  const auto [at, error] = std::from_chars(step.data(), stop, index);
  const bool canonical = step == "0" || (!step.empty() && step.front() != '0');
  if (error != std::errc{} || at != stop || !canonical) {
    return invalid("'" + step + "' is not an array index");
  }
  if (index > size || (index == size && !end)) {
    return invalid("index " + step + " is beyond the array of " + std::to_string(size));
  }
  return index;
}

Result<Value*> resolve(Value& root, const Pointer& pointer, std::size_t depth) {
  Value* at = &root;
  for (std::size_t i = 0; i < depth; ++i) {
    if (auto* object = at->if_object()) {
      at = object->if_contains(pointer[i]);
      if (at == nullptr) return invalid(render(pointer) + " does not exist");
    } else if (auto* array = at->if_array()) {
      auto index = array_index(pointer[i], array->size(), false);
      if (!index) return base::fail(std::move(index).error());
      at = &(*array)[*index];
    } else {
      return invalid(render(pointer) + " does not exist");
    }
  }
  return at;
}

Result<> add(Value& root, const Pointer& pointer, Value value) {
  if (pointer.empty()) {
    root = std::move(value);
    return {};
  }
  auto parent = resolve(root, pointer, pointer.size() - 1);
  if (!parent) return base::fail(std::move(parent).error());
  if (auto* object = (*parent)->if_object()) {
    (*object)[pointer.back()] = std::move(value);
    return {};
  }
  auto* array = (*parent)->if_array();
  if (array == nullptr) return invalid("the parent of " + render(pointer) + " holds no members");
  auto index = array_index(pointer.back(), array->size(), true);
  if (!index) return base::fail(std::move(index).error());
  array->insert(array->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return {};
}

Result<Value> remove(Value& root, const Pointer& pointer) {
  if (pointer.empty()) return invalid("the whole document cannot be removed");
  auto place = resolve(root, pointer, pointer.size());
  if (!place) return base::fail(std::move(place).error());
  Value removed = std::move(**place);
  auto parent = resolve(root, pointer, pointer.size() - 1);
  if (auto* object = (*parent)->if_object()) {
    object->erase(pointer.back());
  } else {
    auto& array = (*parent)->get_array();
    auto index = array_index(pointer.back(), array.size(), false);
    array.erase(array.begin() + static_cast<std::ptrdiff_t>(*index));
  }
  return removed;
}

bool is_prefix(const Pointer& prefix, const Pointer& pointer) {
  return prefix.size() < pointer.size() &&
         std::equal(prefix.begin(), prefix.end(), pointer.begin());
}

Result<> transfer(Value& root, const Value& operation, const Pointer& target, bool keep_source,
                  Costs& costs) {
  auto source = parse_pointer(string_at(operation, {"from"}));
  if (!source) return base::fail(std::move(source).error());
  if (find(operation, {"from"}) == nullptr) return invalid("'from' is missing");
  if (!keep_source && is_prefix(*source, target)) return invalid("a value cannot move into itself");
  auto place = resolve(root, *source, source->size());
  if (!place) return base::fail(std::move(place).error());
  if (auto affordable = costs.place(**place, target, keep_source); !affordable) return affordable;
  if (keep_source || source->empty()) {
    Value value = **place;
    return add(root, target, std::move(value));
  }
  auto removed = remove(root, *source);
  if (!removed) return base::fail(std::move(removed).error());
  return add(root, target, std::move(*removed));
}

Result<> apply(Value& root, const Value& operation, Costs& costs) {
  const std::string_view kind = string_at(operation, {"op"});
  const Value* path = find(operation, {"path"});
  if (path == nullptr || !path->is_string()) return invalid("'path' is missing");
  auto pointer = parse_pointer(string_at(operation, {"path"}));
  if (!pointer) return base::fail(std::move(pointer).error());
  if (kind == "remove") {
    auto removed = remove(root, *pointer);
    return removed ? Result<>{} : Result<>{base::fail(std::move(removed).error())};
  }
  if (kind == "move" || kind == "copy") {
    return transfer(root, operation, *pointer, kind == "copy", costs);
  }
  const Value* value = find(operation, {"value"});
  if (kind != "add" && kind != "replace" && kind != "test") {
    return invalid("unknown operation '" + std::string(kind) + "'");
  }
  if (value == nullptr) return invalid("'value' is missing");
  if (auto affordable = costs.place(*value, *pointer, false); !affordable) return affordable;
  if (kind == "add") return add(root, *pointer, *value);
  auto place = resolve(root, *pointer, pointer->size());
  if (!place) return base::fail(std::move(place).error());
  if (kind == "replace") {
    **place = *value;
  } else if (**place != *value) {
    return invalid("testing value " + render(*pointer) + " failed");
  }
  return {};
}

}  // namespace

base::Result<> apply_json_patch(Value& target, const Value& patch) {
  const auto* operations = patch.if_array();
  if (operations == nullptr) return invalid("a JSON patch is an array of operations");
  if (operations->size() > operations_max) {
    return base::fail(Code::too_large,
                      "the patch has over " + std::to_string(operations_max) + " operations");
  }
  Value result = target;
  Costs costs;
  for (std::size_t i = 0; i < operations->size(); ++i) {
    if (auto applied = apply(result, (*operations)[i], costs); !applied) {
      return base::fail(std::move(applied).error().during("operation " + std::to_string(i)));
    }
  }
  target = std::move(result);
  return {};
}

}  // namespace koi::json
