#include "apiserver/admission.h"
#include "apiserver/metadata.h"
#include "apiserver/operations.h"
#include "apiserver/patching.h"
#include "apiserver/shaping.h"
#include "apiserver/strategy.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

constexpr int generate_name_attempts_max = 8;
// How often a write that named no revision starts over when others come between.
constexpr int conflict_attempts_max = 16;

// A failure of the store in the words of the API.
api::Status store_status(const base::Error& error, const Call& call) {
  return api::status_from(error, call.about());
}

StatusOr<void> check_name_given(const Call& call, const json::Value& object) {
  if (!json::string_at(object, {"metadata", "name"}).empty()) return {};
  api::FieldErrors errors;
  errors.push_back(api::required("metadata.name", "name or generateName is required"));
  return std::unexpected(
      api::invalid_status(call.resource->group(), call.resource->kind->kind, "", errors));
}

// What a write answers when nothing was stored: as it would have been.
api::ObjectPtr unstored(json::Value object, std::string_view revision) {
  if (revision.empty()) {
    json::erase(object, {"metadata", "resourceVersion"});
  } else {
    json::set(object, {"metadata", "resourceVersion"}, json::Value(revision));
  }
  return api::make_object(std::move(object));
}

// Equal but for what every write touches.
bool is_unchanged(const json::Value& before, const json::Value& after) {
  const auto& old_members = before.as_object();
  const auto& new_members = after.as_object();
  if (old_members.size() != new_members.size()) return false;
  for (const auto& [name, value] : old_members) {
    const json::Value* twin = new_members.if_contains(name);
    if (twin == nullptr) return false;
    if (name != "metadata") {
      if (*twin != value) return false;
      continue;
    }
    if (value.as_object().size() != twin->as_object().size()) return false;
    for (const auto& [field, old] : value.as_object()) {
      if (field == "resourceVersion") continue;
      const json::Value* now = twin->as_object().if_contains(field);
      if (now == nullptr || *now != old) return false;
    }
  }
  return true;
}

}  // namespace

std::function<api::ObjectPtr(datastore::Revision)> maker_of(json::Value object) {
  auto shared = std::make_shared<json::Value>(std::move(object));
  return [shared](datastore::Revision revision) {
    json::set(*shared, {"metadata", "resourceVersion"}, json::Value(std::to_string(revision)));
    return api::make_object(std::move(*shared));
  };
}

Outcome<Written> Operations::create(const Call& call, json::Value object) {
  auto shaped = shape(call, *call.resource->kind, std::move(object));
  if (!shaped) co_return std::unexpected(shaped.error());
  auto matched = match_metadata(call, *shaped);
  if (!matched) co_return std::unexpected(matched.error());
  if (!json::string_at(*shaped, {"metadata", "resourceVersion"}).empty()) {
    co_return std::unexpected(
        api::bad_request_status("resourceVersion should not be set on objects to be created"));
  }
  const std::string base(json::string_at(*shaped, {"metadata", "generateName"}));
  if (base.empty() || !json::string_at(*shaped, {"metadata", "name"}).empty()) {
    if (auto named = check_name_given(call, *shaped); !named) {
      co_return std::unexpected(named.error());
    }
    co_return co_await commit_new(call, std::move(*shaped));
  }
  for (int i = 0; i < generate_name_attempts_max; ++i) {
    json::Value named = *shaped;
    json::set(named, {"metadata", "name"}, json::Value(generated_name(base, doors_.random)));
    auto written = co_await commit_new(call, std::move(named));
    if (written || written.error().reason != "AlreadyExists") co_return written;
  }
  co_return std::unexpected(
      api::generate_name_conflict_status({call.resource->group(), call.resource->plural(), base}));
}

Outcome<Written> Operations::commit_new(const Call& given, json::Value object) {
  Call call = given;
  call.name = json::string_at(object, {"metadata", "name"});
  stamp_new(*call.resource, doors_.clock, doors_.random, object);
  prepare_for_create(call, object);
  const Attempt attempt{call, object};
  auto claim = co_await doors_.admission.admit(attempt);
  if (!claim) co_return std::unexpected(claim.error());
  if (auto valid = validate(call, object, nullptr); !valid) {
    co_return std::unexpected(valid.error());
  }
  arrange(*call.resource, object);
  if (call.dry_run) {
    if (find(call)) co_return std::unexpected(api::already_exists_status(call.about()));
    co_return Written{unstored(std::move(object), ""), true};
  }
  datastore::Write write;
  write.key = call.resource->key(call.name_space, call.name);
  write.expected = 0;
  write.durability = durability_of(*call.resource, nullptr, &object);
  write.make = maker_of(std::move(object));
  claim->hold();
  auto entry = co_await doors_.store.commit(std::move(write));
  if (!entry) {
    claim->give_back();
    if (entry.error().code == base::Code::conflict) {
      co_return std::unexpected(api::already_exists_status(call.about()));
    }
    co_return std::unexpected(store_status(entry.error(), call));
  }
  co_return Written{(*entry)->object, true};
}

Outcome<Written> Operations::update(const Call& call, json::Value object) {
  auto shaped = shape(call, *call.resource->kind, std::move(object));
  if (!shaped) co_return std::unexpected(shaped.error());
  auto matched = match_metadata(call, *shaped);
  if (!matched) co_return std::unexpected(matched.error());
  const std::string revision(json::string_at(*shaped, {"metadata", "resourceVersion"}));
  for (int i = 0;; ++i) {
    const auto current = find(call);
    if (!current) {
      const bool may_create = call.resource->creates_on_update && call.subresource.empty() &&
                              revision.empty() &&
                              json::string_at(*shaped, {"metadata", "uid"}).empty();
      if (!may_create) co_return std::unexpected(api::not_found_status(call.about()));
      co_return co_await commit_new(call, std::move(*shaped));
    }
    if (revision.empty() && !call.resource->updates_unconditionally) {
      api::FieldErrors errors;
      errors.push_back(api::invalid("metadata.resourceVersion", json::Value(0),
                                    "must be specified for an update"));
      co_return std::unexpected(api::invalid_status(call.resource->group(),
                                                    call.resource->kind->kind, call.name, errors));
    }
    if (!revision.empty() && revision != current->object->resource_version()) {
      co_return std::unexpected(api::modified_status(call.about()));
    }
    auto written = co_await commit_over(call, current, *shaped);
    const bool lost_a_race = !written && written.error().reason == "Conflict" && revision.empty() &&
                             i < conflict_attempts_max && find(call) != current;
    if (!lost_a_race) co_return written;
  }
}

Outcome<Written> Operations::patch(const Call& call, PatchKind kind, const json::Value& patch) {
  const Change apply = [&call, kind, &patch](const json::Value& current) -> StatusOr<json::Value> {
    auto patched = apply_patch(*call.resource->kind->type, kind, current, patch);
    if (!patched) return patched;
    auto shaped = shape(call, *call.resource->kind, std::move(*patched));
    if (!shaped) return shaped;
    if (auto matched = match_metadata(call, *shaped); !matched) {
      return std::unexpected(matched.error());
    }
    return shaped;
  };
  co_return co_await change(call, apply);
}

Outcome<Written> Operations::change(const Call& call, const Change& change) {
  for (int i = 0;; ++i) {
    const auto current = find(call);
    if (!current) co_return std::unexpected(api::not_found_status(call.about()));
    auto next = change(current->object->value());
    if (!next) co_return std::unexpected(next.error());
    const std::string_view revision = json::string_at(*next, {"metadata", "resourceVersion"});
    if (!revision.empty() && revision != current->object->resource_version()) {
      co_return std::unexpected(api::modified_status(call.about()));
    }
    auto written = co_await commit_over(call, current, std::move(*next));
    const bool lost_a_race = !written && written.error().reason == "Conflict" &&
                             i < conflict_attempts_max && find(call) != current;
    if (!lost_a_race) co_return written;
  }
}

Outcome<Written> Operations::commit_over(const Call& call, const datastore::EntryPtr& current,
                                         json::Value object) {
  const Resource& resource = *call.resource;
  const json::Value& before = current->object->value();
  const std::string_view uid = json::string_at(object, {"metadata", "uid"});
  if (!uid.empty() && uid != current->object->uid()) {
    co_return std::unexpected(api::conflict_status(
        call.about(), "Precondition failed: UID in precondition: " + std::string(uid) +
                          ", UID in object meta: " + std::string(current->object->uid())));
  }
  prepare_for_update(call, before, object);
  keep_system_metadata(resource, before, object);
  const Attempt attempt{call, object, &before};
  auto claim = co_await doors_.admission.admit(attempt);
  if (!claim) co_return std::unexpected(claim.error());
  if (auto valid = validate(call, object, &before); !valid) {
    co_return std::unexpected(valid.error());
  }
  arrange(resource, object);
  if (call.dry_run) {
    co_return Written{unstored(std::move(object), current->object->resource_version())};
  }
  if (is_unchanged(before, object)) co_return Written{current->object};
  datastore::Write write;
  write.key = current->key;
  write.expected = current->modified;
  if (is_ready_to_go(resource, object)) {
    auto last = std::make_shared<const api::Object>(object);
    write.make_last = maker_of(std::move(object));
    auto removed = co_await doors_.store.commit(std::move(write));
    if (!removed) co_return std::unexpected(store_status(removed.error(), call));
    doors_.admission.settled(resource, before, nullptr);
    co_return Written{last};
  }
  write.durability = durability_of(resource, &before, &object);
  write.make = maker_of(std::move(object));
  claim->hold();
  auto entry = co_await doors_.store.commit(std::move(write));
  if (!entry) {
    claim->give_back();
    if (entry.error().code == base::Code::not_found) {
      co_return std::unexpected(api::modified_status(call.about()));
    }
    co_return std::unexpected(store_status(entry.error(), call));
  }
  doors_.admission.settled(resource, before, &(*entry)->object->value());
  co_return Written{(*entry)->object};
}

}  // namespace koi::apiserver
