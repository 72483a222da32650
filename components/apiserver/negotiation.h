#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace koi::apiserver {

// One choice of an Accept header: "application/json;as=Table;v=v1;g=meta.k8s.io".
struct MediaRange {
  std::string type;  // lower case, without parameters
  std::vector<std::pair<std::string, std::string>> parameters{};
  double quality = 1;

  std::string_view parameter(std::string_view name) const;
};

// The choices, best first. An empty header accepts everything.
std::vector<MediaRange> parse_accept(std::string_view header);

enum class Format { json, yaml, protobuf };
enum class View { object, table, partial };

// How an answer is written.
struct Rendering {
  Format format = Format::json;
  View view = View::object;
  std::string meta_version = "v1";  // of a table or partial object
  std::string include_object = "Metadata";
  bool is_pretty = false;

  std::string content_type() const;
};

// The first choice that the API can serve; nothing when there is none.
std::optional<Rendering> negotiate(std::string_view accept);

inline constexpr std::string_view served_media_types =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

// The format of a body; JSON where none is given. Nothing for an unknown one.
std::optional<Format> format_of(std::string_view content_type);

}  // namespace koi::apiserver
