#include "apiserver/negotiation.h"

#include <algorithm>
#include <charconv>

namespace koi::apiserver {

namespace {

constexpr std::size_t choices_max = 32;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// Cuts the part up to the next `separator` off the front.
std::string_view cut(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  range.type = lower(cut(text, ';'));
  while (!text.empty()) {
    std::string_view value = cut(text, ';');
    const std::string name = lower(cut(value, '='));
    if (name == "q") {
      std::from_chars(value.data(), value.data() + value.size(), range.quality);
    } else if (!name.empty()) {
      range.parameters.emplace_back(name, value);
    }
  }
  return range;
}

std::optional<Format> format_of_range(std::string_view type) {
  if (type == "*/*" || type == "application/*" || type == "application/json") return Format::json;
  if (type == "application/yaml") return Format::yaml;
  if (type == "application/vnd.kubernetes.protobuf") return Format::protobuf;
  return std::nullopt;
}

}  // namespace

std::string_view MediaRange::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

std::vector<MediaRange> parse_accept(std::string_view header) {
  std::vector<MediaRange> ranges;
  while (!header.empty() && ranges.size() < choices_max) {
    const std::string_view part = cut(header, ',');
    if (part.empty()) continue;
    MediaRange range = parse_range(part);
    // Among equals the first named stays first.
    const auto place =
        std::ranges::upper_bound(ranges, range.quality, std::greater<>(), &MediaRange::quality);
    ranges.insert(place, std::move(range));
  }
  if (ranges.empty()) ranges.push_back({.type = "*/*"});
  return ranges;
}

std::string Rendering::content_type() const {
  std::string type = format == Format::yaml       ? "application/yaml"
                     : format == Format::protobuf ? "application/vnd.kubernetes.protobuf"
                                                  : "application/json";
  return type;
}

std::optional<Rendering> negotiate(std::string_view accept) {
  for (const MediaRange& range : parse_accept(accept)) {
    const auto format = format_of_range(range.type);
    if (!format || range.quality <= 0) continue;
    Rendering rendering{.format = *format};
    const std::string_view as = range.parameter("as");
    if (as.empty()) return rendering;
    const std::string_view version = range.parameter("v");
    if (range.parameter("g") != "meta.k8s.io" || (version != "v1" && version != "v1beta1")) {
      continue;
    }
    rendering.meta_version = version;
    if (as == "Table") {
      if (*format == Format::protobuf) continue;
      rendering.view = View::table;
    } else if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
      rendering.view = View::partial;
    } else {
      continue;
    }
    return rendering;
  }
  return std::nullopt;
}

std::optional<Format> format_of(std::string_view content_type) {
  const std::string type = parse_range(content_type).type;
  if (type.empty() || type == "application/json") return Format::json;
  if (type == "application/yaml" || type == "application/x-yaml" || type == "text/yaml") {
    return Format::yaml;
  }
  if (type == "application/vnd.kubernetes.protobuf") return Format::protobuf;
  return std::nullopt;
}

}  // namespace koi::apiserver
