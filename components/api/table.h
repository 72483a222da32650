#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "json/value.h"

// meta.k8s.io/v1 Table: what `kubectl get` prints. Columns and cells are those that people and
// scripts know from every cluster.
namespace koi::api {

// What a row carries beside its cells.
enum class IncludeObject { none, metadata, object };

struct TableOptions {
  std::string_view group{};
  std::string_view kind{};
  base::WallTime now{};
  IncludeObject include = IncludeObject::metadata;
  // Watches send the columns with the first event only.
  bool has_columns = true;
  // "v1" or "v1beta1" of meta.k8s.io.
  std::string_view version = "v1";
};

// The table of a list or, with one row, of an object. `metadata` is the list's (resourceVersion,
// continue, remainingItemCount) or null.
json::Value make_table(std::span<const json::Value* const> objects, const json::Value* metadata,
                       const TableOptions& options);

// The object of an Accept header with as=PartialObjectMetadata: its metadata and nothing else.
json::Value partial_metadata(const json::Value& object, std::string_view version = "v1");

// A span of time in the two largest fitting units: "75s", "2m5s", "3d4h".
std::string human_duration(base::Duration duration);

}  // namespace koi::api
