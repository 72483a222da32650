#include "apiserver/event_stream.h"

#include <algorithm>

#include "base/task.h"

namespace koi::apiserver {

namespace {

using namespace std::chrono_literals;

constexpr auto bookmark_interval = 60s;
// A bookmark shortly before the end lets the next watch begin there.
constexpr auto final_bookmark_lead = 2s;

api::ObjectPtr with_revision(const api::Object& object, datastore::Revision revision) {
  json::Value value = object.value();
  json::set(value, {"metadata", "resourceVersion"}, std::to_string(revision).c_str());
  return api::make_object(std::move(value));
}

}  // namespace

EventStream::EventStream(base::Clock& clock, Options options)
    : clock_(clock),
      options_(std::move(options)),
      next_bookmark_(clock.now() + bookmark_interval),
      position_(options_.start) {
  next_bookmark_ = std::min(next_bookmark_, options_.deadline - final_bookmark_lead);
}

api::ObjectPtr EventStream::bookmark(bool initial_end) const {
  std::string bytes = options_.bookmark_head + R"("metadata":{"resourceVersion":")" +
                      std::to_string(position_) + R"(","creationTimestamp":null)";
  if (initial_end) bytes += R"(,"annotations":{"k8s.io/initial-events-end":"true"})";
  return std::make_shared<const api::Object>(bytes + "}}");
}

std::vector<StreamEvent> EventStream::translate(
    const std::vector<datastore::EventPtr>& events) const {
  using Type = StreamEvent::Type;
  std::vector<StreamEvent> out;
  out.reserve(events.size());
  const bool everything = options_.selection.is_everything();
  for (const auto& event : events) {
    const bool removed = event->type == datastore::Event::Type::removed;
    const api::ObjectPtr& before = event->previous;
    const bool was = before && (everything || options_.selection.matches(before->value()));
    const bool is = !removed && (everything || options_.selection.matches(event->object->value()));
    if (is) {
      out.push_back({was ? Type::modified : Type::added, event->object});
    } else if (was && removed) {
      out.push_back({Type::deleted, event->object});
    } else if (was) {
      // It left the selection: the client sees its last state inside, at this revision.
      out.push_back({Type::deleted, with_revision(*before, event->revision)});
    }
  }
  return out;
}

base::Task<api::StatusOr<std::vector<StreamEvent>>> EventStream::next() {
  auto events = co_await next_stored();
  if (!events || !view_) co_return events;
  for (StreamEvent& event : *events) {
    if (event.type != StreamEvent::Type::bookmark) event.object = view_(event.object);
  }
  co_return events;
}

base::Task<api::StatusOr<std::vector<StreamEvent>>> EventStream::next_stored() {
  using Type = StreamEvent::Type;
  std::vector<StreamEvent> out;
  if (finished_) co_return out;
  if (!initial_sent_) {
    initial_sent_ = true;
    for (auto& object : options_.initial) out.push_back({Type::added, std::move(object)});
    options_.initial.clear();
    if (options_.mark_initial_end) out.push_back({Type::bookmark, bookmark(true)});
    if (!out.empty()) co_return out;
  }
  for (;;) {
    const base::MonoTime wake =
        options_.bookmarks ? std::min(next_bookmark_, options_.deadline) : options_.deadline;
    auto batch = co_await next_before(*options_.watcher, clock_, wake);
    if (!batch) {
      if (clock_.now() >= options_.deadline) {
        finished_ = true;
        co_return out;
      }
      position_ = std::max(position_, options_.watcher->position());
      next_bookmark_ = clock_.now() + bookmark_interval;
      if (next_bookmark_ > options_.deadline - final_bookmark_lead &&
          clock_.now() < options_.deadline - final_bookmark_lead) {
        next_bookmark_ = options_.deadline - final_bookmark_lead;
      }
      out.push_back({Type::bookmark, bookmark(false)});
      co_return out;
    }
    if (!*batch) {
      finished_ = true;
      co_return std::unexpected(api::status_from(batch->error(), {}));
    }
    position_ = std::max(position_, options_.watcher->position());
    out = translate(**batch);
    if (!out.empty()) co_return out;
  }
}

}  // namespace koi::apiserver
