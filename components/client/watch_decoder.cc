#include "client/watch_decoder.h"

#include "api/status.h"
#include "base/limits.h"

namespace koi::client {

namespace {

// An event holds an object in JSON, where a stored form of another kind may be shorter.
constexpr std::size_t line_bytes_max = 4 * base::limits::object_bytes_max;

}  // namespace

base::Result<> WatchDecoder::feed(std::string_view bytes, std::vector<WatchEvent>& events) {
  while (true) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    base::Result<> read;
    if (rest_.empty()) {
      read = read_line(bytes.substr(0, end), events);
    } else {
      rest_.append(bytes.substr(0, end));
      read = read_line(rest_, events);
      rest_.clear();
    }
    if (!read) return read;
    bytes.remove_prefix(end + 1);
  }
  if (rest_.size() + bytes.size() > line_bytes_max) {
    return base::fail(base::Code::too_large, "an event of a watch is too large");
  }
  rest_.append(bytes);
  return {};
}

base::Result<> WatchDecoder::read_line(std::string_view line, std::vector<WatchEvent>& events) {
  if (line.empty()) return {};
  auto parsed = json::parse(line);
  if (!parsed) {
    return base::fail(base::Code::corrupt, "read a watch: " + parsed.error().message);
  }
  const auto type = json::string_at(*parsed, {"type"});
  json::Value* object = json::find(*parsed, {"object"});
  if (object == nullptr || !object->is_object()) {
    return base::fail(base::Code::corrupt, "read a watch: an event without object");
  }
  WatchEvent event;
  if (type == "ADDED") {
    event.type = WatchType::added;
  } else if (type == "MODIFIED") {
    event.type = WatchType::modified;
  } else if (type == "DELETED") {
    event.type = WatchType::deleted;
  } else if (type == "BOOKMARK") {
    event.type = WatchType::bookmark;
  } else if (type == "ERROR") {
    return base::fail(api::Status::from_json(*object).to_error());
  } else {
    return base::fail(base::Code::corrupt,
                      "read a watch: '" + std::string(type) + "' is no type of event");
  }
  event.object = api::make_object(std::move(*object));
  events.push_back(std::move(event));
  return {};
}

}  // namespace koi::client
