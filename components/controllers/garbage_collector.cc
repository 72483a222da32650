#include "controllers/garbage_collector.h"

#include <algorithm>
#include <utility>

#include "client/object_key.h"

namespace koi::controllers {

namespace {

constexpr char separator = '\n';

const json::Array& owners_of(const api::Object& object) {
  return json::array_at(object.value(), {"metadata", "ownerReferences"});
}

bool blocks(const api::Object& dependent, std::string_view owner_uid) {
  const auto& owners = owners_of(dependent);
  return std::any_of(owners.begin(), owners.end(), [owner_uid](const json::Value& owner) {
    return json::string_at(owner, {"uid"}) == owner_uid &&
           json::bool_at(owner, {"blockOwnerDeletion"});
  });
}

}  // namespace

GarbageCollector::GarbageCollector(Context context, Inventory& inventory)
    : context_(context),
      inventory_(inventory),
      queue_(context.tasks, context.clock, {.name = "garbagecollector", .workers = 20}) {
  inventory_.add_listener([this](const Inventory::Entry& entry, const api::ObjectPtr& before,
                                 const api::ObjectPtr& after) { on_change(entry, before, after); });
}

void GarbageCollector::start() {
  queue_.start([this](std::string key) { return collect(std::move(key)); });
}

void GarbageCollector::enqueue(const Inventory::Entry& entry, const api::Object& object) {
  queue_.add(entry_name(entry.info) + separator + client::key_of(object));
}

void GarbageCollector::enqueue_dependents(const api::Object& owner) {
  for (const auto& item : inventory_.dependents(std::string(owner.uid()))) {
    enqueue(*item.entry, *item.object);
  }
}

api::ObjectPtr GarbageCollector::cached_owner(const json::Value& reference,
                                              const api::Object& dependent) const {
  const auto* entry = inventory_.find(json::string_at(reference, {"apiVersion"}),
                                      json::string_at(reference, {"kind"}));
  if (entry == nullptr) return nullptr;
  const auto name_space = entry->info.namespaced ? dependent.name_space() : std::string_view();
  auto owner = entry->informer->find(name_space, json::string_at(reference, {"name"}));
  const bool same = owner != nullptr && owner->uid() == json::string_at(reference, {"uid"});
  return same ? owner : nullptr;
}

void GarbageCollector::enqueue_waiting_owners(const api::Object& dependent) {
  for (const auto& reference : owners_of(dependent)) {
    const auto owner = cached_owner(reference, dependent);
    if (owner == nullptr || !is_deleting_dependents(*owner)) continue;
    enqueue(*inventory_.find(json::string_at(reference, {"apiVersion"}),
                             json::string_at(reference, {"kind"})),
            *owner);
  }
}

bool GarbageCollector::has_doubtful_owner(const api::Object& object) const {
  const auto& owners = owners_of(object);
  return std::any_of(owners.begin(), owners.end(), [&](const json::Value& reference) {
    const auto owner = cached_owner(reference, object);
    return owner == nullptr || is_deleting_dependents(*owner);
  });
}

void GarbageCollector::on_change(const Inventory::Entry& entry, const api::ObjectPtr& before,
                                 const api::ObjectPtr& after) {
  const bool replaced = before != nullptr && after != nullptr && before->uid() != after->uid();
  if (after == nullptr || replaced) {
    enqueue_dependents(*before);
    enqueue_waiting_owners(*before);
    if (after == nullptr) return;
  }
  if (is_orphaning(*after)) enqueue(entry, *after);
  if (is_deleting_dependents(*after)) {
    enqueue(entry, *after);
    if (before == nullptr || !is_deleting_dependents(*before)) enqueue_dependents(*after);
  }
  const bool same_owners =
      before != nullptr && !replaced && owners_of(*before) == owners_of(*after);
  if (same_owners || owners_of(*after).empty()) {
    if (before != nullptr && !same_owners) enqueue_waiting_owners(*before);
    return;
  }
  if (before != nullptr) enqueue_waiting_owners(*before);
  if (has_doubtful_owner(*after)) enqueue(entry, *after);
}

base::Task<base::Result<>> GarbageCollector::collect(std::string key) {
  co_await inventory_.wait_synced();
  const auto at = key.find(separator);
  const auto known = inventory_.entries().find(key.substr(0, at));
  if (known == inventory_.entries().end()) co_return base::Result<>();
  const auto& entry = known->second;
  const auto object = entry.informer->find(std::string_view(key).substr(at + 1));
  if (object == nullptr) co_return base::Result<>();
  CollectionFacts facts{.object = *object};
  for (const auto& reference : owners_of(*object)) {
    const auto fate = co_await judge(reference, *object);
    if (!fate) co_return base::fail(fate.error());
    facts.owners.push_back(
        {.uid = std::string(json::string_at(reference, {"uid"})), .fate = *fate});
  }
  for (const auto& item : inventory_.dependents(std::string(object->uid()))) {
    facts.has_dependents = true;
    facts.has_blocking_dependents |= blocks(*item.object, object->uid());
  }
  const auto plan = plan_collection(facts);
  co_return co_await perform(entry, object, plan);
}

base::Task<base::Result<OwnerFate>> GarbageCollector::judge(const json::Value& reference,
                                                            const api::Object& dependent) {
  if (const auto owner = cached_owner(reference, dependent)) {
    co_return is_deleting_dependents(*owner) ? OwnerFate::waiting : OwnerFate::lives;
  }
  const auto* entry = inventory_.find(json::string_at(reference, {"apiVersion"}),
                                      json::string_at(reference, {"kind"}));
  // Of a kind that is not served nothing can be said; nor can a namespaced owner of a
  // cluster-scoped object be looked up.
  if (entry == nullptr) co_return OwnerFate::lives;
  if (entry->info.namespaced && dependent.name_space().empty()) co_return OwnerFate::lives;
  const client::ObjectRef ref{
      .resource = entry->info.resource,
      .name_space = std::string(entry->info.namespaced ? dependent.name_space() : ""),
      .name = std::string(json::string_at(reference, {"name"}))};
  const auto live = co_await context_.client.get(ref);
  if (!live) {
    if (live.error().code == base::Code::not_found) co_return OwnerFate::absent;
    co_return base::fail(live.error());
  }
  const bool same = (*live)->uid() == json::string_at(reference, {"uid"});
  co_return same ? OwnerFate::lives : OwnerFate::absent;
}

base::Task<base::Result<>> GarbageCollector::perform(const Inventory::Entry& entry,
                                                     const api::ObjectPtr& object,
                                                     const CollectionPlan& plan) {
  using Step = CollectionPlan::Step;
  switch (plan.step) {
    case Step::nothing:
      break;
    case Step::orphan_dependents:
      co_return co_await orphan(entry, object);
    case Step::delete_dependents:
      for (const auto& item : inventory_.dependents(std::string(object->uid()))) {
        if (!item.object->is_terminating()) enqueue(*item.entry, *item.object);
      }
      break;
    case Step::finish_foreground: {
      auto rest = without_finalizer(object->value(), foreground_finalizer);
      co_return co_await write_list(entry, object, "finalizers", std::move(rest));
    }
    case Step::drop_owners: {
      auto rest = without_owners(object->value(), plan.drop);
      co_return co_await write_list(entry, object, "ownerReferences", std::move(rest));
    }
    case Step::remove:
      co_return co_await remove(entry, object, plan.policy);
  }
  co_return base::Result<>();
}

base::Task<base::Result<>> GarbageCollector::orphan(const Inventory::Entry& entry,
                                                    const api::ObjectPtr& owner) {
  const std::vector<std::string> uids{std::string(owner->uid())};
  for (const auto& item : inventory_.dependents(uids.front())) {
    auto rest = without_owners(item.object->value(), uids);
    const auto written =
        co_await write_list(*item.entry, item.object, "ownerReferences", std::move(rest));
    if (!written) co_return written;
  }
  auto rest = without_finalizer(owner->value(), orphan_finalizer);
  co_return co_await write_list(entry, owner, "finalizers", std::move(rest));
}

base::Task<base::Result<>> GarbageCollector::write_list(const Inventory::Entry& entry,
                                                        const api::ObjectPtr& object,
                                                        std::string_view field, json::Array list) {
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(object->uid()));
  json::set(patch, {"metadata", "resourceVersion"}, client::text(object->resource_version()));
  json::set(patch, {"metadata", field}, std::move(list));
  const auto ref = client::ref_of(entry.info.resource, *object);
  const auto written =
      co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written || written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

base::Task<base::Result<>> GarbageCollector::remove(const Inventory::Entry& entry,
                                                    const api::ObjectPtr& object,
                                                    const std::string& policy) {
  // Only as it was judged: an object that gained an owner since is judged again.
  const client::DeleteOptions options{
      .propagation_policy = policy,
      .precondition_uid = std::string(object->uid()),
      .precondition_resource_version = std::string(object->resource_version())};
  const auto ref = client::ref_of(entry.info.resource, *object);
  const auto removed = co_await context_.client.remove(ref, options);
  if (removed || removed.error().code == base::Code::not_found) co_return base::Result<>();
  co_return removed;
}

}  // namespace koi::controllers
