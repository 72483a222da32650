#include "apiserver/event_expiry.h"

namespace koi::apiserver {

namespace {

using namespace std::chrono_literals;

constexpr auto lifetime = 1h;
constexpr auto look_interval = 5min;

base::WallTime last_seen(const json::Value& event) {
  base::WallTime latest{};
  const auto look = [&](json::Path path) {
    const auto time = base::parse_time(json::string_at(event, path));
    if (time && *time > latest) latest = *time;
  };
  look({"lastTimestamp"});
  look({"series", "lastObservedTime"});
  look({"eventTime"});
  look({"metadata", "creationTimestamp"});
  return latest;
}

}  // namespace

base::Task<> expire_events(Operations& operations) {
  const Resource* resource = operations.catalog().find("", "v1", "events");
  if (resource == nullptr) co_return;
  for (;;) {
    co_await operations.clock().sleep_for(look_interval);
    const auto range = operations.store().range(resource->prefix, {});
    if (!range) continue;
    const base::WallTime now = operations.clock().wall_now();
    for (const auto& entry : range->entries) {
      if (now - last_seen(entry->object->value()) < lifetime) continue;
      datastore::Write write;
      write.key = entry->key;
      write.expected = entry->modified;
      write.make_last = maker_of(entry->object->value());
      write.durability = datastore::Durability::lazy;
      // Whoever wrote it meanwhile has seen it again.
      (void)co_await operations.store().commit(std::move(write));
    }
  }
}

}  // namespace koi::apiserver
