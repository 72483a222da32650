#include "datastore/state.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace koi::datastore {

namespace {

using base::Code;
using base::fail;

std::size_t weight(const StagedWrite& write) {
  // The previous state is shared with the event before it or with nobody: count it once.
  return write.previous ? write.previous->object->bytes().size() : 64;
}

EventPtr make_event(const StagedWrite& write, api::ObjectPtr object) {
  auto event = std::make_shared<Event>();
  event->type = write.entry ? Event::Type::put : Event::Type::removed;
  event->key = write.entry ? write.entry->key : write.previous->key;
  event->revision = write.revision;
  event->object = std::move(object);
  if (write.previous) event->previous = write.previous->object;
  return event;
}

}  // namespace

std::string_view bucket_of(std::string_view key) {
  std::size_t end = 0;
  for (int segment = 0; segment < 3; ++segment) {
    end = key.find('/', end + 1);
    if (end == std::string_view::npos) return key;
  }
  return key.substr(0, end + 1);
}

EntryPtr State::newest(std::string_view key) const {
  const auto staged = staged_.find(std::string(key));
  return staged != staged_.end() ? staged->second.second : find(key);
}

base::Result<StagedWrite> State::stage(Write& write, Revision revision) {
  const EntryPtr previous = newest(write.key);
  if (write.expected) {
    const Revision expected = *write.expected;
    if (expected == 0 && previous) return fail(Code::already_exists, "'" + write.key + "' exists");
    if (expected != 0 && (!previous || previous->modified != expected)) {
      return fail(Code::conflict,
                  "'" + write.key + "' is no longer at revision " + std::to_string(expected));
    }
  }
  if (!write.make && !previous) return fail(Code::not_found, "'" + write.key + "' does not exist");
  StagedWrite staged{.revision = revision, .durability = write.durability, .previous = previous};
  api::ObjectPtr visible;
  if (write.make) {
    auto entry = std::make_shared<Entry>();
    entry->key = write.key;
    entry->created = previous ? previous->created : revision;
    entry->modified = revision;
    entry->object = visible = write.make(revision);
    staged.entry = std::move(entry);
  } else {
    visible = write.make_last ? write.make_last(revision) : previous->object;
  }
  staged.event = make_event(staged, std::move(visible));
  staged_[write.key] = {revision, staged.entry};
  return staged;
}

void State::publish(const StagedWrite& staged) {
  CHECK_THAT(staged.revision > published_, "revisions are published in order");
  const std::string& key = staged.event->key;
  Bucket& home = bucket(key);
  if (staged.entry) {
    home.entries.insert_or_assign(key, staged.entry);
  } else {
    home.entries.erase(key);
  }
  home.window.push_back(staged);
  home.window_bytes += weight(staged);
  trim(home);
  published_ = staged.revision;
  const auto waiting = staged_.find(key);
  if (waiting != staged_.end() && waiting->second.first == staged.revision) staged_.erase(waiting);
}

void State::trim(Bucket& bucket) {
  using namespace base;
  while (bucket.window.size() > limits::watch_window_events_max ||
         (bucket.window_bytes > limits::watch_window_bytes_max &&
          bucket.window.size() > limits::watch_window_events_min)) {
    bucket.window_bytes -= weight(bucket.window.front());
    bucket.trimmed = bucket.window.front().revision;
    bucket.window.pop_front();
  }
}

State::Bucket& State::bucket(std::string_view key) {
  const std::string_view name = bucket_of(key);
  const auto found = buckets_.find(name);
  if (found != buckets_.end()) return found->second;
  return buckets_[std::string(name)];
}

const State::Bucket* State::bucket_for(std::string_view prefix) const {
  const auto found = buckets_.find(bucket_of(prefix));
  return found != buckets_.end() ? &found->second : nullptr;
}

void State::restore(LogRecord&& record, bool as_event) {
  Bucket& home = bucket(record.key);
  const auto found = home.entries.find(record.key);
  StagedWrite write{.revision = record.revision};
  if (found != home.entries.end()) write.previous = found->second;
  if (write.previous && write.previous->modified >= record.revision) return;
  if (!record.object && !write.previous) return;
  if (record.object) {
    auto entry = std::make_shared<Entry>();
    entry->key = record.key;
    entry->created = record.created;
    entry->modified = record.revision;
    entry->object = record.object;
    write.entry = std::move(entry);
  }
  if (as_event) {
    write.event = make_event(write, record.object ? record.object : write.previous->object);
    home.window_bytes += weight(write);
    home.window.push_back(write);
    trim(home);
  }
  if (write.entry) {
    home.entries.insert_or_assign(record.key, write.entry);
  } else {
    home.entries.erase(record.key);
  }
}

void State::finish_recovery(const RecoveredLog& recovered) {
  compacted_ = recovered.compacted;
  published_ = recovered.reserved;
  for (auto& [name, bucket] : buckets_) bucket.trimmed = std::max(bucket.trimmed, compacted_);
}

EntryPtr State::find(std::string_view key) const {
  const Bucket* home = bucket_for(key);
  if (home == nullptr) return nullptr;
  const auto found = home->entries.find(key);
  return found != home->entries.end() ? found->second : nullptr;
}

std::size_t State::count(std::string_view prefix) const {
  const Bucket* home = bucket_for(prefix);
  if (home == nullptr) return 0;
  if (bucket_of(prefix) == prefix) return home->entries.size();
  std::size_t total = 0;
  for (auto at = home->entries.lower_bound(prefix);
       at != home->entries.end() && at->first.starts_with(prefix); ++at) {
    ++total;
  }
  return total;
}

bool State::covers(std::string_view prefix, Revision after) const {
  const Bucket* home = bucket_for(prefix);
  return after >= (home != nullptr ? home->trimmed : compacted_);
}

base::Result<Range> State::range(std::string_view prefix, const RangeOptions& options) const {
  Range result;
  result.revision = options.at.value_or(published_);
  if (!covers(prefix, result.revision)) {
    return fail(Code::expired, "revision " + std::to_string(result.revision) + " was compacted");
  }
  const Bucket* home = bucket_for(prefix);
  if (home == nullptr) return result;
  // What each key was before it changed behind the revision asked for: walk the window back.
  std::map<std::string, EntryPtr, std::less<>> past;
  for (auto at = home->window.rbegin(); at != home->window.rend() && at->revision > result.revision;
       ++at) {
    if (at->event->key.starts_with(prefix)) past.insert_or_assign(at->event->key, at->previous);
  }
  const auto admit = [&](const std::string& key, const EntryPtr& entry) {
    if (!entry || (!options.start_after.empty() && key <= options.start_after)) return;
    if (options.limit != 0 && result.entries.size() == options.limit) {
      result.more = true;
      ++result.remaining;
      return;
    }
    result.entries.push_back(entry);
  };
  auto now = home->entries.lower_bound(prefix);
  auto then = past.begin();
  const auto now_has = [&] { return now != home->entries.end() && now->first.starts_with(prefix); };
  while (now_has() || then != past.end()) {
    const bool take_past = then != past.end() && (!now_has() || then->first <= now->first);
    if (take_past) {
      if (now_has() && now->first == then->first) ++now;
      admit(then->first, then->second);
      ++then;
    } else {
      admit(now->first, now->second);
      ++now;
    }
  }
  return result;
}

base::Result<std::vector<EventPtr>> State::events(std::string_view prefix, Revision after) const {
  if (!covers(prefix, after)) {
    return fail(Code::expired, "revision " + std::to_string(after) + " was compacted");
  }
  std::vector<EventPtr> events;
  const Bucket* home = bucket_for(prefix);
  if (home == nullptr) return events;
  const auto first =
      std::partition_point(home->window.begin(), home->window.end(),
                           [after](const StagedWrite& write) { return write.revision <= after; });
  for (auto at = first; at != home->window.end(); ++at) {
    if (at->event->key.starts_with(prefix)) events.push_back(at->event);
  }
  return events;
}

}  // namespace koi::datastore
