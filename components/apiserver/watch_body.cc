#include <deque>
#include <map>
#include <mutex>
#include <tuple>

#include "api/protobuf.h"
#include "api/table.h"
#include "apiserver/rendering.h"

namespace koi::apiserver {

namespace {

using Type = StreamEvent::Type;

constexpr std::size_t cached_events_max = 512;

std::string_view type_name(Type type) {
  switch (type) {
    case Type::added:
      return "ADDED";
    case Type::modified:
      return "MODIFIED";
    case Type::deleted:
      return "DELETED";
    case Type::bookmark:
      break;
  }
  return "BOOKMARK";
}

const http::Segment& json_head(Type type) {
  const auto make = [](Type of) {
    return std::make_shared<const std::string>(R"({"type":")" + std::string(type_name(of)) +
                                               R"(","object":)");
  };
  static const http::Segment heads[] = {make(Type::added), make(Type::modified),
                                        make(Type::deleted), make(Type::bookmark)};
  return heads[static_cast<std::size_t>(type)];
}

const http::Segment& json_tail() {
  static const http::Segment tail = std::make_shared<const std::string>("}\n");
  return tail;
}

}  // namespace

class EventCache {
 public:
  // What is cached under an object (kept alive meanwhile), its event type and an encoding's name.
  using Key = std::tuple<api::ObjectPtr, Type, std::string>;

  http::Segment find(const Key& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = frames_.find(key);
    return found == frames_.end() ? nullptr : found->second;
  }

  void add(const Key& key, const http::Segment& frame) {
    const std::lock_guard lock(mutex_);
    if (!frames_.emplace(key, frame).second) return;
    order_.push_back(key);
    if (order_.size() <= cached_events_max) return;
    frames_.erase(order_.front());
    order_.pop_front();
  }

 private:
  mutable std::mutex mutex_;
  std::map<Key, http::Segment> frames_;
  std::deque<Key> order_;
};

std::shared_ptr<EventCache> make_event_cache() { return std::make_shared<EventCache>(); }

namespace {

class WatchBody final : public http::BodyStream {
 public:
  WatchBody(const Rendering& rendering, const api::Schema& schema, base::Clock& clock,
            std::shared_ptr<EventCache> cache, std::unique_ptr<EventStream> stream)
      : rendering_(rendering),
        schema_(schema),
        clock_(clock),
        cache_(std::move(cache)),
        stream_(std::move(stream)) {}

  base::Task<base::Result<std::optional<std::vector<http::Segment>>>> next() override {
    std::optional<std::vector<http::Segment>> out;
    if (finished_) co_return out;
    auto events = co_await stream_->next();
    out.emplace();
    if (!events) {
      finished_ = true;
      out->push_back(error_frame(events.error()));
      co_return out;
    }
    if (events->empty()) {
      out.reset();
      co_return out;
    }
    for (const StreamEvent& event : *events) append(event, *out);
    co_return out;
  }

 private:
  void append(const StreamEvent& event, std::vector<http::Segment>& out) {
    const bool is_plain = rendering_.format == Format::json &&
                          (rendering_.view == View::object || event.type == Type::bookmark);
    if (is_plain && rendering_.view != View::table) {
      out.push_back(json_head(event.type));
      out.push_back(segment_of(event.object));
      out.push_back(json_tail());
      return;
    }
    // Tables hold ages, which no two watchers need to share.
    if (rendering_.view == View::table) {
      out.push_back(std::make_shared<const std::string>(table_frame(event)));
      return;
    }
    const EventCache::Key key{event.object, event.type,
                              rendering_.content_type() + rendering_.meta_version +
                                  (rendering_.view == View::partial ? "p" : "o")};
    http::Segment frame = cache_->find(key);
    if (!frame) {
      frame = std::make_shared<const std::string>(encode(event));
      cache_->add(key, frame);
    }
    out.push_back(std::move(frame));
  }

  std::string json_frame(std::string_view type, const json::Value& object) const {
    return R"({"type":")" + std::string(type) + R"(","object":)" + json::serialize(object) + "}\n";
  }

  std::string encode(const StreamEvent& event) const {
    json::Value object = rendering_.view == View::partial
                             ? api::partial_metadata(event.object->value(), rendering_.meta_version)
                             : event.object->value();
    return frame(type_name(event.type), object);
  }

  std::string frame(std::string_view type, const json::Value& object) const {
    if (rendering_.format != Format::protobuf) return json_frame(type, object);
    auto encoded = api::encode_protobuf(object, schema_);
    if (encoded) return api::protobuf_watch_frame(type, *encoded);
    const auto status = api::internal_status(encoded.error().message).to_json();
    auto failure = api::encode_protobuf(status, schema_);
    return failure ? api::protobuf_watch_frame("ERROR", *failure) : std::string();
  }

  std::string table_frame(const StreamEvent& event) {
    api::TableOptions options;
    options.now = clock_.wall_now();
    options.version = rendering_.meta_version;
    options.has_columns = !columns_sent_;
    columns_sent_ = true;
    const std::string_view version = event.object->api_version();
    const auto slash = version.find('/');
    options.group = slash == std::string_view::npos ? "" : version.substr(0, slash);
    options.kind = event.object->kind();
    if (rendering_.include_object == "None") options.include = api::IncludeObject::none;
    if (rendering_.include_object == "Object") options.include = api::IncludeObject::object;
    json::Object metadata;
    metadata["resourceVersion"] = event.object->resource_version();
    const json::Value list_metadata = std::move(metadata);
    const json::Value* const row = &event.object->value();
    const std::span<const json::Value* const> rows(&row, event.type == Type::bookmark ? 0 : 1);
    return json_frame(type_name(event.type), api::make_table(rows, &list_metadata, options));
  }

  http::Segment error_frame(const api::Status& status) const {
    return std::make_shared<const std::string>(frame("ERROR", status.to_json()));
  }

  Rendering rendering_;
  const api::Schema& schema_;
  base::Clock& clock_;
  std::shared_ptr<EventCache> cache_;
  std::unique_ptr<EventStream> stream_;
  bool columns_sent_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<http::BodyStream> make_watch_body(const Rendering& rendering,
                                                  const api::Schema& schema, base::Clock& clock,
                                                  std::shared_ptr<EventCache> cache,
                                                  std::unique_ptr<EventStream> stream) {
  return std::make_unique<WatchBody>(rendering, schema, clock, std::move(cache), std::move(stream));
}

std::string watch_content_type(const Rendering& rendering) {
  return rendering.format == Format::protobuf ? "application/vnd.kubernetes.protobuf;stream=watch"
                                              : "application/json";
}

}  // namespace koi::apiserver
