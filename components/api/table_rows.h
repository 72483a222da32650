#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/table.h"
#include "base/time.h"
#include "json/value.h"

// What the printers of the single kinds share.
namespace koi::api::tables {

struct Column {
  std::string_view name;
  std::string_view doc;
  std::string_view type = "string";
  std::string_view format = "";
  int priority = 0;  // 1: only with -o wide
};

// The cells of one object, filled from left to right.
class Row {
 public:
  Row(const json::Value& object, base::WallTime now) : object_(object), now_(now) {}

  const json::Value& object() const { return object_; }
  base::WallTime now() const { return now_; }

  void text(std::string_view cell);
  // The string at `path`, or `otherwise`.
  void text_at(json::Path path, std::string_view otherwise = "");
  void number(std::int64_t cell) { cells_.emplace_back(cell); }
  void number_at(json::Path path, std::int64_t otherwise = 0);
  void boolean(bool cell) { cells_.emplace_back(cell); }
  void name() { text_at({"metadata", "name"}); }
  void age() { text(since(json::string_at(object_, {"metadata", "creationTimestamp"}))); }
  // How long ago a time was; "<unknown>" where it is missing.
  std::string since(std::string_view time) const;

  json::Array take() { return std::move(cells_); }

 private:
  const json::Value& object_;
  base::WallTime now_;
  json::Array cells_;
};

struct KindTable {
  std::string_view group;
  std::string_view kind;
  std::span<const Column> columns;
  void (*print)(Row& row);
};

std::span<const KindTable> core_tables();
std::span<const KindTable> workload_tables();
std::span<const KindTable> network_tables();
std::span<const KindTable> storage_tables();
std::span<const KindTable> policy_tables();
// Of Kubernetes pods, in a file of its own.
void print_pod(Row& row);
// The same for autoscalers.
void print_autoscaler(Row& row);

inline constexpr Column name_column{"Name", "Name of the object, unique among its kind.", "string",
                                    "name"};
inline constexpr Column age_column{"Age", "Time since the object was created."};
inline constexpr Column containers_column{"Containers", "Names of the containers.", "string", "",
                                          1};
inline constexpr Column images_column{"Images", "Images of the containers.", "string", "", 1};
inline constexpr Column selector_column{"Selector", "Labels that select the pods.", "string", "",
                                        1};

std::string join(const std::vector<std::string>& parts, std::string_view separator);
// At most `shown` of the parts, then " + 2 more...".
std::string join_some(const std::vector<std::string>& parts, std::size_t shown);
// "a=b,c=d" in byte order, or "<none>".
std::string format_labels(const json::Object& labels);
// A metav1.LabelSelector as a query, or "<none>".
std::string format_selector(const json::Value* selector);
// The values of one member of each element.
std::vector<std::string> collect(const json::Array& list, std::string_view member);
// A number, string or quantity as text; empty for anything else.
std::string scalar_text(const json::Value* value);
// Containers, images: the two wide cells of everything with a pod template.
void print_containers(Row& row, json::Path containers);
bool has_condition(const json::Value& object, std::string_view type);

}  // namespace koi::api::tables
