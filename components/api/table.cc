#include "api/table.h"

#include <array>
#include <chrono>

#include "api/table_rows.h"

namespace koi::api {

namespace {

using tables::Column;
using tables::KindTable;
using tables::Row;

constexpr std::array generic_columns = {
    tables::name_column, Column{"Created At", "When the object was created.", "date"}};

void print_generic(Row& row) {
  row.name();
  row.text_at({"metadata", "creationTimestamp"});
}

constexpr KindTable generic_table{"", "", generic_columns, print_generic};

const KindTable& table_of(std::string_view group, std::string_view kind) {
  for (const auto list :
       {tables::core_tables(), tables::workload_tables(), tables::network_tables(),
        tables::storage_tables(), tables::policy_tables()}) {
    for (const KindTable& table : list) {
      if (table.kind == kind && table.group == group) return table;
    }
  }
  return generic_table;
}

json::Value columns_of(const KindTable& table) {
  const auto text = [](std::string_view view) {
    return boost::json::string(view.data(), view.size());
  };
  json::Array columns;
  for (const Column& column : table.columns) {
    json::Object entry;
    entry["name"] = text(column.name);
    entry["type"] = text(column.type);
    entry["format"] = text(column.format);
    entry["description"] = text(column.doc);
    entry["priority"] = column.priority;
    columns.emplace_back(std::move(entry));
  }
  return columns;
}

// A finished pod is marked, for clients that hide such rows.
json::Array conditions_of(const json::Value& object, const TableOptions& options) {
  json::Array conditions;
  if (!options.group.empty() || options.kind != "Pod") return conditions;
  const std::string_view phase = json::string_at(object, {"status", "phase"});
  if (phase == "Succeeded") {
    conditions.push_back(json::Object{{"type", "Completed"},
                                      {"status", "True"},
                                      {"reason", "Succeeded"},
                                      {"message", "The pod has completed successfully."}});
  } else if (phase == "Failed") {
    conditions.push_back(json::Object{{"type", "Completed"},
                                      {"status", "True"},
                                      {"reason", "Failed"},
                                      {"message", "The pod failed."}});
  }
  return conditions;
}

std::string spell(std::int64_t large, const char* large_unit, std::int64_t small,
                  const char* small_unit) {
  std::string text = std::to_string(large) + large_unit;
  if (small != 0) text += std::to_string(small) + small_unit;
  return text;
}

}  // namespace

std::string human_duration(base::Duration duration) {
  using std::chrono::duration_cast;
  const auto seconds = duration_cast<std::chrono::seconds>(duration).count();
  // Two machines' clocks may differ a little; that much ago counts as now.
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return std::to_string(seconds) + "s";
  const auto minutes = seconds / 60;
  if (minutes < 10) return spell(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return std::to_string(minutes) + "m";
  const auto hours = minutes / 60;
  if (hours < 8) return spell(hours, "h", minutes % 60, "m");
  if (hours < 48) return std::to_string(hours) + "h";
  const auto days = hours / 24;
  if (hours < 24 * 8) return spell(days, "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return std::to_string(days) + "d";
  if (hours < 24 * 365 * 8) return spell(days / 365, "y", days % 365, "d");
  return std::to_string(days / 365) + "y";
}

json::Value partial_metadata(const json::Value& object, std::string_view version) {
  json::Object out;
  out["kind"] = "PartialObjectMetadata";
  out["apiVersion"] = "meta.k8s.io/" + std::string(version);
  const json::Value* metadata = json::find(object, {"metadata"});
  out["metadata"] = metadata != nullptr ? *metadata : json::Value(json::Object());
  return out;
}

json::Value make_table(std::span<const json::Value* const> objects, const json::Value* metadata,
                       const TableOptions& options) {
  const KindTable& table = table_of(options.group, options.kind);
  json::Object out;
  out["kind"] = "Table";
  out["apiVersion"] = "meta.k8s.io/" + std::string(options.version);
  out["metadata"] = metadata != nullptr ? *metadata : json::Value(json::Object());
  out["columnDefinitions"] = options.has_columns ? columns_of(table) : json::Value(json::Array());
  json::Array& rows = out["rows"].emplace_array();
  rows.reserve(objects.size());
  for (const json::Value* object : objects) {
    Row row(*object, options.now);
    table.print(row);
    json::Object entry;
    entry["cells"] = row.take();
    if (auto conditions = conditions_of(*object, options); !conditions.empty()) {
      entry["conditions"] = std::move(conditions);
    }
    if (options.include == IncludeObject::metadata) {
      entry["object"] = partial_metadata(*object, options.version);
    } else if (options.include == IncludeObject::object) {
      entry["object"] = *object;
    } else {
      entry["object"] = nullptr;
    }
    rows.emplace_back(std::move(entry));
  }
  return out;
}

}  // namespace koi::api
