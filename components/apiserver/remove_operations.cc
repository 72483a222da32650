#include <algorithm>

#include "apiserver/admission.h"
#include "apiserver/metadata.h"
#include "apiserver/operations.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

constexpr int conflict_attempts_max = 16;
constexpr std::string_view orphan_finalizer = "orphan";
constexpr std::string_view foreground_finalizer = "foregroundDeletion";

StatusOr<void> check_preconditions(const Call& call, const DeleteQuery& query,
                                   const api::Object& object) {
  if (!query.uid.empty() && query.uid != object.uid()) {
    return std::unexpected(api::conflict_status(
        call.about(), "Precondition failed: UID in precondition: " + query.uid +
                          ", UID in object meta: " + std::string(object.uid())));
  }
  if (!query.resource_version.empty() && query.resource_version != object.resource_version()) {
    return std::unexpected(api::conflict_status(
        call.about(),
        "Precondition failed: ResourceVersion in precondition: " + query.resource_version +
            ", ResourceVersion in object meta: " + std::string(object.resource_version())));
  }
  return {};
}

// The finalizers through which the garbage collector deals with dependents first.
void set_propagation(json::Value& object, std::string_view policy) {
  if (policy.empty()) return;
  json::Array& finalizers = json::ensure_array(object, {"metadata", "finalizers"});
  const auto drop = [&finalizers](std::string_view name) {
    auto* const end = std::remove(finalizers.begin(), finalizers.end(), json::Value(name));
    finalizers.erase(end, finalizers.end());
  };
  const std::string_view wanted = policy == "Orphan"       ? orphan_finalizer
                                  : policy == "Foreground" ? foreground_finalizer
                                                           : std::string_view();
  if (wanted != orphan_finalizer) drop(orphan_finalizer);
  if (wanted != foreground_finalizer) drop(foreground_finalizer);
  if (!wanted.empty() &&
      std::find(finalizers.begin(), finalizers.end(), json::Value(wanted)) == finalizers.end()) {
    finalizers.emplace_back(wanted);
  }
  if (finalizers.empty()) json::erase(object, {"metadata", "finalizers"});
}

// How long a node may take to stop the pod.
std::int64_t grace_of(const json::Value& pod, const DeleteQuery& query) {
  const std::string_view phase = json::string_at(pod, {"status", "phase"});
  if (json::string_at(pod, {"spec", "nodeName"}).empty() || phase == "Failed" ||
      phase == "Succeeded") {
    return 0;
  }
  const std::int64_t own = json::int_at(pod, {"spec", "terminationGracePeriodSeconds"}, 30);
  return std::max<std::int64_t>(query.grace_period_seconds.value_or(own), 0);
}

void mark(json::Value& object, base::WallTime now, std::int64_t grace_seconds) {
  json::set(object, {"metadata", "deletionTimestamp"},
            json::Value(base::format_time(now + std::chrono::seconds(grace_seconds))));
  json::set(object, {"metadata", "deletionGracePeriodSeconds"}, json::Value(grace_seconds));
}

// What the deletion turns the object into. Unchanged: nothing is left to ask for.
json::Value marked(const Resource& resource, const json::Value& before, const DeleteQuery& query,
                   base::WallTime now) {
  json::Value object = before;
  set_propagation(object, query.propagation_policy);
  const std::int64_t grace = resource.is_graceful ? grace_of(before, query) : 0;
  const json::Value* since = json::find(before, {"metadata", "deletionTimestamp"});
  if (since == nullptr) {
    mark(object, now, grace);
    if (resource.has_generation) {
      const std::int64_t generation = json::int_at(before, {"metadata", "generation"}, 0);
      json::set(object, {"metadata", "generation"}, json::Value(generation + 1));
    }
  } else if (resource.is_graceful && (query.grace_period_seconds || grace == 0)) {
    const std::int64_t held = json::int_at(before, {"metadata", "deletionGracePeriodSeconds"}, 0);
    // A second request may only shorten the time.
    if (grace < held) {
      const auto asked =
          base::parse_time(json::string_at(before, {"metadata", "deletionTimestamp"}));
      mark(object, (asked ? *asked : now) - std::chrono::seconds(held), grace);
    }
  }
  if (resource.plural() == "namespaces") json::set(object, {"status", "phase"}, "Terminating");
  return object;
}

}  // namespace

Outcome<Removed> Operations::remove(const Call& call, const DeleteQuery& query) {
  for (int i = 0;; ++i) {
    const auto current = find(call);
    if (!current) co_return std::unexpected(api::not_found_status(call.about()));
    auto removed = co_await remove_once(call, query, current);
    const bool lost_a_race = !removed && removed.error().reason == "Conflict" &&
                             query.resource_version.empty() && i < conflict_attempts_max &&
                             find(call) != current;
    if (!lost_a_race) co_return removed;
  }
}

Outcome<Removed> Operations::remove_once(const Call& call, const DeleteQuery& query,
                                         const datastore::EntryPtr& current) {
  const Resource& resource = *call.resource;
  const json::Value& before = current->object->value();
  if (auto admitted = doors_.admission.admit_removal(call, before); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  if (auto checked = check_preconditions(call, query, *current->object); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (resource.plural() == "namespaces" && current->object->is_terminating() &&
      !json::array_at(before, {"spec", "finalizers"}).empty()) {
    co_return std::unexpected(api::conflict_status(
        call.about(),
        "The system is ensuring all content is removed from this namespace.  Upon completion, "
        "this namespace will automatically be purged by the system."));
  }
  json::Value object = marked(resource, before, query, doors_.clock.wall_now());
  if (is_ready_to_go(resource, object)) {
    if (call.dry_run) co_return Removed{current->object, true};
    co_return co_await commit_removal(call, current);
  }
  if (call.dry_run || object == before) co_return Removed{current->object, false};
  datastore::Write write;
  write.key = current->key;
  write.expected = current->modified;
  write.durability = durability_of(resource, &before, &object);
  write.make = maker_of(std::move(object));
  auto entry = co_await doors_.store.commit(std::move(write));
  if (!entry) co_return std::unexpected(api::status_from(entry.error(), call.about()));
  co_return Removed{(*entry)->object, false};
}

Outcome<Removed> Operations::commit_removal(const Call& call, const datastore::EntryPtr& current) {
  datastore::Write write;
  write.key = current->key;
  write.expected = current->modified;
  write.make_last = maker_of(current->object->value());
  write.durability = call.resource->plural() == "events" ? datastore::Durability::lazy
                                                         : datastore::Durability::durable;
  auto removed = co_await doors_.store.commit(std::move(write));
  if (!removed) co_return std::unexpected(api::status_from(removed.error(), call.about()));
  doors_.admission.settled(*call.resource, current->object->value(), nullptr);
  co_return Removed{current->object, true};
}

Outcome<ListResult> Operations::remove_collection(const Call& call, const ListQuery& selection,
                                                  const DeleteQuery& query) {
  auto listed = list(call, selection);
  if (!listed) co_return std::unexpected(listed.error());
  for (const auto& object : listed->items) {
    Call one = call;
    one.name_space = object->name_space();
    one.name = object->name();
    auto removed = co_await remove(one, query);
    // Somebody else was faster, or it is on its way already.
    if (!removed && removed.error().reason != "NotFound" && removed.error().reason != "Conflict") {
      co_return std::unexpected(removed.error());
    }
  }
  co_return std::move(*listed);
}

}  // namespace koi::apiserver
