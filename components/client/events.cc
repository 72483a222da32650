#include "client/events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace koi::client {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t pending_events_max = 1'000;
constexpr std::size_t series_max = 4'096;
constexpr std::size_t similar_messages_max = 10;
constexpr base::Duration similar_window = 10min;
constexpr double burst_events_max = 25;
constexpr double events_per_second = 1.0 / 300;
constexpr std::size_t message_bytes_max = 1'024;

const Resource events_resource{.group = "", .version = "v1", .plural = "events"};

std::string about_key(const json::Value& about) {
  std::string key(json::string_at(about, {"kind"}));
  for (const std::string_view part : {"namespace", "name", "uid", "fieldPath"}) {
    key.append("\n").append(json::string_at(about, {part}));
  }
  return key;
}

std::string hex(std::uint64_t number) {
  std::array<char, 17> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number, 16);
  return std::string(text.data(), end);
}

std::string_view type_name(EventType type) {
  return type == EventType::normal ? "Normal" : "Warning";
}

}  // namespace

json::Value reference_to(const api::Object& object) {
  json::Object reference;
  reference["kind"] = object.kind();
  if (!object.name_space().empty()) reference["namespace"] = object.name_space();
  reference["name"] = object.name();
  if (!object.uid().empty()) reference["uid"] = object.uid();
  reference["apiVersion"] = object.api_version();
  if (!object.resource_version().empty()) {
    reference["resourceVersion"] = object.resource_version();
  }
  return reference;
}

EventRecorder::EventRecorder(ApiClient& client, base::Clock& clock, base::Random& random,
                             base::TaskGroup& tasks, std::string component, std::string host)
    : client_(client),
      clock_(clock),
      random_(random),
      tasks_(tasks),
      component_(std::move(component)),
      host_(std::move(host)),
      changed_(tasks.executor()) {}

void EventRecorder::record(const api::Object& about, EventType type, std::string_view reason,
                           std::string_view message) {
  record(reference_to(about), type, reason, message);
}

void EventRecorder::record(const json::Value& about, EventType type, std::string_view reason,
                           std::string_view message) {
  if (pending_.size() >= pending_events_max) return;
  pending_.push_back({.about = about,
                      .type = type,
                      .reason = std::string(reason),
                      .message = std::string(message.substr(0, message_bytes_max)),
                      .time = clock_.wall_now()});
  if (!running_) {
    running_ = true;
    tasks_.spawn(component_ + ".events", run());
  }
  changed_.notify_all();
}

base::Task<> EventRecorder::run() {
  while (true) {
    while (pending_.empty()) co_await changed_.wait();
    auto next = std::move(pending_.front());
    pending_.pop_front();
    if (!allowed(next.about)) continue;
    co_await write(std::move(next));
  }
}

bool EventRecorder::allowed(const json::Value& about) {
  if (allowances_.size() >= series_max) allowances_.clear();
  const auto now = clock_.now();
  const auto [at, fresh] =
      allowances_.try_emplace(about_key(about), Allowance{.tokens = burst_events_max, .at = now});
  auto& allowance = at->second;
  const auto seconds = std::chrono::duration<double>(now - allowance.at).count();
  allowance.tokens = std::min(burst_events_max, allowance.tokens + seconds * events_per_second);
  allowance.at = now;
  if (allowance.tokens < 1) return false;
  allowance.tokens -= 1;
  return true;
}

// The message under which the event is counted: its own, or a combined one from the tenth similar
// event on.
std::string EventRecorder::combine(const Pending& pending) {
  if (similar_.size() >= series_max) similar_.clear();
  const std::string key = about_key(pending.about) + "\n" + pending.reason + "\n" +
                          std::string(type_name(pending.type));
  const auto now = clock_.now();
  auto& similar = similar_[key];
  if (similar.messages.empty() || now - similar.since > similar_window) similar.messages.clear();
  similar.since = now;
  if (similar.messages.size() < similar_messages_max) {
    similar.messages.insert(pending.message);
    return pending.message;
  }
  if (similar.messages.contains(pending.message)) return pending.message;
  return "(combined from similar events): " + pending.message;
}

base::Task<> EventRecorder::write(Pending pending) {
  const std::string message = combine(pending);
  const bool combined = message != pending.message;
  const std::string key = about_key(pending.about) + "\n" + pending.reason + "\n" +
                          std::string(type_name(pending.type)) + "\n" +
                          (combined ? std::string("(combined)") : message);
  if (const auto known = series_.find(key); known != series_.end()) {
    auto series = known->second;
    ++series.count;
    const auto bumped = co_await bump(series, message, pending.time);
    if (bumped) {
      series_[key] = std::move(series);
      co_return;
    }
    series_.erase(key);
    if (bumped.error().code != base::Code::not_found) co_return;
  }
  Series series;
  std::string name_space(json::string_at(pending.about, {"namespace"}));
  if (name_space.empty()) name_space = "default";
  const auto nanoseconds =
      pending.time.time_since_epoch() / 1us * 1000 + static_cast<std::int64_t>(random_.below(1000));
  series.ref = {.resource = events_resource,
                .name_space = std::move(name_space),
                .name = std::string(json::string_at(pending.about, {"name"})) + "." +
                        hex(static_cast<std::uint64_t>(nanoseconds)),
                .subresource = {}};
  series.count = 1;
  series.first_time = base::format_time(pending.time);
  auto object = build(pending, message, series);
  const auto created = co_await client_.create(series.ref, std::move(object));
  if (created) remember(key, std::move(series));
}

base::Task<base::Result<>> EventRecorder::bump(const Series& series, const std::string& message,
                                               base::WallTime time) {
  json::Object patch;
  patch["count"] = series.count;
  patch["lastTimestamp"] = base::format_time(time);
  patch["message"] = message;
  const auto patched = co_await client_.patch(series.ref, PatchType::merge, std::move(patch));
  if (!patched) co_return base::fail(patched.error());
  co_return base::Result<>();
}

void EventRecorder::remember(const std::string& key, Series series) {
  series_order_.push_back(key);
  series_[key] = std::move(series);
  while (series_order_.size() > series_max) {
    series_.erase(series_order_.front());
    series_order_.pop_front();
  }
}

json::Value EventRecorder::build(const Pending& pending, const std::string& message,
                                 const Series& series) const {
  json::Object metadata;
  metadata["name"] = series.ref.name;
  metadata["namespace"] = series.ref.name_space;
  json::Object source;
  source["component"] = component_;
  if (!host_.empty()) source["host"] = host_;
  json::Object event;
  event["apiVersion"] = "v1";
  event["kind"] = "Event";
  event["metadata"] = std::move(metadata);
  event["involvedObject"] = pending.about;
  event["reason"] = pending.reason;
  event["message"] = message;
  event["source"] = std::move(source);
  event["firstTimestamp"] = series.first_time;
  event["lastTimestamp"] = series.first_time;
  event["count"] = series.count;
  event["type"] = type_name(pending.type);
  event["reportingComponent"] = component_;
  event["reportingInstance"] = host_;
  return event;
}

}  // namespace koi::client
