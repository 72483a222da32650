#include "client/memory_client.h"

#include <algorithm>
#include <utility>

#include "client/memory_objects.h"
#include "client/object_key.h"

namespace koi::client {

namespace {

constexpr std::int64_t default_grace_seconds = 30;

std::string described(const ObjectRef& ref) {
  return ref.resource.plural + " \"" + ref.name + "\"";
}

bool has_finalizers(const json::Value& object) {
  return !json::array_at(object, {"metadata", "finalizers"}).empty() ||
         !json::array_at(object, {"spec", "finalizers"}).empty();
}

void add_finalizer(json::Value& object, std::string_view finalizer) {
  auto& all = json::ensure_array(object, {"metadata", "finalizers"});
  const bool present = std::any_of(all.begin(), all.end(), [finalizer](const json::Value& each) {
    return json::string_at(each, {}) == finalizer;
  });
  if (!present) all.emplace_back(finalizer);
}

bool selected(const api::ObjectPtr& object, const std::string& name_space,
              const std::string& label_selector, const std::string& field_selector) {
  if (object == nullptr) return false;
  return (name_space.empty() || object->name_space() == name_space) &&
         matches_labels(object->value(), label_selector) &&
         matches_fields(object->value(), field_selector);
}

}  // namespace

class MemoryWatch final : public Watch {
 public:
  MemoryWatch(MemoryClient& client, Resource resource, std::string name_space, WatchOptions options)
      : client_(client),
        resource_(std::move(resource)),
        name_space_(std::move(name_space)),
        options_(std::move(options)),
        position_(parse_revision(options_.resource_version)),
        epoch_(client.watch_epoch_) {}

  base::Task<base::Result<std::vector<WatchEvent>>> next() override {
    while (true) {
      if (epoch_ != client_.watch_epoch_) {
        co_return base::fail(base::Code::unavailable, "the watch was closed");
      }
      if (position_ < client_.compacted_) {
        co_return base::fail(base::Code::expired, "too old resource version");
      }
      auto events = collect();
      if (!events.empty()) co_return events;
      co_await client_.changed_.wait();
    }
  }

 private:
  std::vector<WatchEvent> collect() {
    std::vector<WatchEvent> events;
    const auto& history = client_.history_;
    auto at = std::upper_bound(
        history.begin(), history.end(), position_,
        [](std::uint64_t position, const auto& change) { return position < change.revision; });
    for (; at != history.end(); ++at) {
      const auto& change = *at;
      if (change.resource != resource_) continue;
      const bool now = change.type != WatchType::deleted && is_selected(change.object);
      const bool then = is_selected(change.before);
      if (now) {
        events.push_back(
            {.type = then ? WatchType::modified : WatchType::added, .object = change.object});
      } else if (then) {
        events.push_back({.type = WatchType::deleted, .object = change.object});
      }
    }
    if (!history.empty()) position_ = history.back().revision;
    return events;
  }

  bool is_selected(const api::ObjectPtr& object) const {
    return selected(object, name_space_, options_.label_selector, options_.field_selector);
  }

  MemoryClient& client_;
  const Resource resource_;
  const std::string name_space_;
  const WatchOptions options_;
  std::uint64_t position_;
  std::uint64_t epoch_;
};

MemoryClient::MemoryClient(const base::Executor& executor, base::Clock& clock, base::Random& random)
    : clock_(clock), random_(random), changed_(executor) {}

MemoryClient::~MemoryClient() = default;

base::Task<base::Result<>> MemoryClient::begin(std::string_view verb, const ObjectRef& ref) {
  co_await base::yield_now();
  ++requests_;
  if (fault_) {
    if (auto error = fault_(verb, ref)) co_return base::fail(std::move(*error));
  }
  co_return base::Result<>();
}

base::Result<api::ObjectPtr> MemoryClient::find(const ObjectRef& ref) const {
  auto found = peek(ref.resource, make_key(ref.name_space, ref.name));
  if (found == nullptr) return base::fail(base::Code::not_found, described(ref) + " not found");
  return found;
}

base::Task<base::Result<api::ObjectPtr>> MemoryClient::get(const ObjectRef& ref) {
  const auto begun = co_await begin("get", ref);
  if (!begun) co_return base::fail(begun.error());
  co_return find(ref);
}

base::Task<base::Result<ObjectList>> MemoryClient::list(const Resource& resource,
                                                        const std::string& name_space,
                                                        const ListOptions& options) {
  const ObjectRef ref{
      .resource = resource, .name_space = name_space, .name = {}, .subresource = {}};
  const auto begun = co_await begin("list", ref);
  if (!begun) co_return base::fail(begun.error());
  ObjectList found;
  found.resource_version = std::to_string(revision_);
  for (auto& object : peek_all(resource)) {
    if (selected(object, name_space, options.label_selector, options.field_selector)) {
      found.items.push_back(std::move(object));
    }
  }
  co_return found;
}

base::Task<base::Result<std::unique_ptr<Watch>>> MemoryClient::watch(const Resource& resource,
                                                                     const std::string& name_space,
                                                                     const WatchOptions& options) {
  const ObjectRef ref{
      .resource = resource, .name_space = name_space, .name = {}, .subresource = {}};
  const auto begun = co_await begin("watch", ref);
  if (!begun) co_return base::fail(begun.error());
  std::unique_ptr<Watch> opened =
      std::make_unique<MemoryWatch>(*this, resource, name_space, options);
  co_return opened;
}

base::Task<base::Result<api::ObjectPtr>> MemoryClient::create(const ObjectRef& ref,
                                                              json::Value object) {
  const auto begun = co_await begin("create", ref);
  if (!begun) co_return base::fail(begun.error());
  if (ref.subresource == "binding") co_return bind(ref, object);
  co_return do_create(ref, std::move(object));
}

base::Result<api::ObjectPtr> MemoryClient::do_create(const ObjectRef& ref, json::Value object) {
  ObjectRef named = ref;
  if (named.name.empty()) named.name = json::string_at(object, {"metadata", "name"});
  if (named.name.empty()) {
    named.name =
        std::string(json::string_at(object, {"metadata", "generateName"})) + random_.name_suffix(5);
  }
  if (find(named)) {
    return base::fail(base::Code::already_exists, described(named) + " already exists");
  }
  if (!named.name_space.empty()) {
    const auto home =
        peek({.group = "", .version = "v1", .plural = "namespaces"}, named.name_space);
    if (home != nullptr && home->is_terminating()) {
      return base::fail(base::Code::forbidden, "unable to create new content in namespace " +
                                                   named.name_space +
                                                   " because it is being terminated");
    }
  }
  json::set(object, {"metadata", "name"}, text(named.name));
  if (!named.name_space.empty())
    json::set(object, {"metadata", "namespace"}, text(named.name_space));
  json::set(object, {"metadata", "uid"}, text(random_.uuid()));
  json::set(object, {"metadata", "creationTimestamp"}, text(base::format_time(clock_.wall_now())));
  if (json::find(object, {"spec"}) != nullptr) json::set(object, {"metadata", "generation"}, 1);
  if (named.resource.plural == "namespaces") {
    json::set(object, {"spec", "finalizers"}, json::Array{"kubernetes"});
    json::set(object, {"status", "phase"}, "Active");
  }
  if (named.resource.plural == "pods" && json::find(object, {"status", "phase"}) == nullptr) {
    json::set(object, {"status", "phase"}, "Pending");
  }
  return commit(named.resource, std::move(object), WatchType::added);
}

base::Result<api::ObjectPtr> MemoryClient::bind(const ObjectRef& ref, const json::Value& binding) {
  const auto current = find(ref);
  if (!current) return current;
  if (!json::string_at((*current)->value(), {"spec", "nodeName"}).empty()) {
    return base::fail(base::Code::conflict, "pod " + ref.name + " is already assigned to node");
  }
  json::Value object = (*current)->value();
  json::set(object, {"spec", "nodeName"}, text(json::string_at(binding, {"target", "name"})));
  json::Object condition{{"type", "PodScheduled"}, {"status", "True"}};
  auto& conditions = json::ensure_array(object, {"status", "conditions"});
  conditions = json::Array{std::move(condition)};
  return commit(ref.resource, std::move(object), WatchType::modified);
}

base::Task<base::Result<api::ObjectPtr>> MemoryClient::update(const ObjectRef& ref,
                                                              json::Value object) {
  const auto begun = co_await begin("update", ref);
  if (!begun) co_return base::fail(begun.error());
  const auto current = find(ref);
  if (!current) co_return current;
  co_return do_update(ref, *current, std::move(object));
}

base::Result<api::ObjectPtr> MemoryClient::do_update(const ObjectRef& ref,
                                                     const api::ObjectPtr& current,
                                                     json::Value object) {
  const auto version = json::string_at(object, {"metadata", "resourceVersion"});
  if (!version.empty() && version != current->resource_version()) {
    return base::fail(base::Code::conflict,
                      "Operation cannot be fulfilled on " + described(ref) +
                          ": the object has been modified; please apply your changes to the "
                          "latest version and try again");
  }
  const json::Value& old = current->value();
  json::Value fresh = ref.subresource == "status" || ref.subresource == "finalize" ? old : object;
  if (ref.subresource == "status") {
    if (const auto* status = json::find(object, {"status"})) json::set(fresh, {"status"}, *status);
  } else if (ref.subresource == "finalize") {
    json::set(fresh, {"spec", "finalizers"}, json::array_at(object, {"spec", "finalizers"}));
  } else if (const auto* status = json::find(old, {"status"})) {
    json::set(fresh, {"status"}, *status);
  } else {
    json::erase(fresh, {"status"});
  }
  for (const std::string_view kept :
       {"uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion"}) {
    if (const auto* value = json::find(old, {"metadata", kept})) {
      json::set(fresh, {"metadata", kept}, *value);
    }
  }
  if (fresh == old) return current;
  const auto* spec = json::find(fresh, {"spec"});
  const auto* old_spec = json::find(old, {"spec"});
  if (spec != nullptr && old_spec != nullptr && *spec != *old_spec) {
    json::set(fresh, {"metadata", "generation"},
              json::int_at(old, {"metadata", "generation"}, 0) + 1);
  }
  const bool pod_dying = ref.resource.plural == "pods" &&
                         json::int_at(old, {"metadata", "deletionGracePeriodSeconds"}, 0) > 0;
  const bool gone = current->is_terminating() && !has_finalizers(fresh) && !pod_dying;
  return commit(ref.resource, std::move(fresh), gone ? WatchType::deleted : WatchType::modified);
}

base::Task<base::Result<api::ObjectPtr>> MemoryClient::patch(const ObjectRef& ref, PatchType type,
                                                             json::Value patch) {
  const auto begun = co_await begin("patch", ref);
  if (!begun) co_return base::fail(begun.error());
  if (type != PatchType::merge) {
    co_return base::fail(base::Code::unsupported, "the memory client takes merge patches only");
  }
  const auto current = find(ref);
  if (!current) co_return current;
  const auto uid = json::string_at(patch, {"metadata", "uid"});
  if (!uid.empty() && uid != (*current)->uid()) {
    co_return base::fail(base::Code::conflict, "the UID in the precondition does not match");
  }
  json::Value object = (*current)->value();
  merge_patch(object, patch);
  co_return do_update(ref, *current, std::move(object));
}

base::Task<base::Result<>> MemoryClient::remove(const ObjectRef& ref,
                                                const DeleteOptions& options) {
  const auto begun = co_await begin("delete", ref);
  if (!begun) co_return base::fail(begun.error());
  const auto current = find(ref);
  if (!current) co_return base::fail(current.error());
  if (!options.precondition_uid.empty() && options.precondition_uid != (*current)->uid()) {
    co_return base::fail(base::Code::conflict, "the UID in the precondition does not match");
  }
  if (!options.precondition_resource_version.empty() &&
      options.precondition_resource_version != (*current)->resource_version()) {
    co_return base::fail(base::Code::conflict, "the object has been modified");
  }
  co_return do_remove(ref, *current, options);
}

base::Result<> MemoryClient::do_remove(const ObjectRef& ref, const api::ObjectPtr& current,
                                       const DeleteOptions& options) {
  json::Value object = current->value();
  if (options.propagation_policy == "Foreground") add_finalizer(object, "foregroundDeletion");
  if (options.propagation_policy == "Orphan") add_finalizer(object, "orphan");
  std::int64_t grace = 0;
  const bool assigned = !json::string_at(object, {"spec", "nodeName"}).empty();
  const auto phase = json::string_at(object, {"status", "phase"});
  if (ref.resource.plural == "pods" && assigned && phase != "Succeeded" && phase != "Failed") {
    grace = options.grace_period_seconds.value_or(
        json::int_at(object, {"spec", "terminationGracePeriodSeconds"}, default_grace_seconds));
  }
  if (grace == 0 && !has_finalizers(object)) {
    commit(ref.resource, std::move(object), WatchType::deleted);
    return {};
  }
  if (!current->is_terminating()) {
    json::set(object, {"metadata", "deletionTimestamp"},
              text(base::format_time(clock_.wall_now() + std::chrono::seconds(grace))));
    json::set(object, {"metadata", "deletionGracePeriodSeconds"}, grace);
    if (ref.resource.plural == "namespaces") json::set(object, {"status", "phase"}, "Terminating");
  }
  if (object != current->value()) commit(ref.resource, std::move(object), WatchType::modified);
  return {};
}

api::ObjectPtr MemoryClient::commit(const Resource& resource, json::Value object, WatchType type) {
  json::set(object, {"metadata", "resourceVersion"}, text(std::to_string(revision_ + 1)));
  const auto stored = api::make_object(std::move(object));
  const auto key = key_of(*stored);
  auto& objects = objects_[resource];
  const auto at = objects.find(key);
  const api::ObjectPtr before = at != objects.end() ? at->second : nullptr;
  if (type == WatchType::deleted) {
    if (at != objects.end()) objects.erase(at);
  } else {
    objects.insert_or_assign(key, stored);
  }
  publish(resource, type, stored, before);
  return stored;
}

void MemoryClient::publish(const Resource& resource, WatchType type, const api::ObjectPtr& object,
                           const api::ObjectPtr& before) {
  ++revision_;
  history_.push_back({.revision = revision_,
                      .resource = resource,
                      .type = type,
                      .object = object,
                      .before = before});
  changed_.notify_all();
}

api::ObjectPtr MemoryClient::peek(const Resource& resource, std::string_view key) const {
  const auto objects = objects_.find(resource);
  if (objects == objects_.end()) return nullptr;
  const auto at = objects->second.find(key);
  return at != objects->second.end() ? at->second : nullptr;
}

std::vector<api::ObjectPtr> MemoryClient::peek_all(const Resource& resource) const {
  std::vector<api::ObjectPtr> all;
  const auto objects = objects_.find(resource);
  if (objects == objects_.end()) return all;
  for (const auto& [key, object] : objects->second) all.push_back(object);
  return all;
}

api::ObjectPtr MemoryClient::put(const Resource& resource, json::Value object) {
  const auto key = make_key(json::string_at(object, {"metadata", "namespace"}),
                            json::string_at(object, {"metadata", "name"}));
  const bool known = peek(resource, key) != nullptr;
  if (json::find(object, {"metadata", "uid"}) == nullptr) {
    json::set(object, {"metadata", "uid"}, text(random_.uuid()));
  }
  if (json::find(object, {"metadata", "creationTimestamp"}) == nullptr) {
    json::set(object, {"metadata", "creationTimestamp"},
              text(base::format_time(clock_.wall_now())));
  }
  return commit(resource, std::move(object), known ? WatchType::modified : WatchType::added);
}

void MemoryClient::edit(const Resource& resource, std::string_view key,
                        const std::function<void(json::Value&)>& change) {
  const auto current = peek(resource, key);
  if (current == nullptr) return;
  json::Value object = current->value();
  const json::Value* old_spec = json::find(current->value(), {"spec"});
  change(object);
  const json::Value* spec = json::find(object, {"spec"});
  if (spec != nullptr && old_spec != nullptr && *spec != *old_spec &&
      json::find(object, {"metadata", "generation"}) != nullptr) {
    json::set(object, {"metadata", "generation"},
              json::int_at(object, {"metadata", "generation"}, 0) + 1);
  }
  commit(resource, std::move(object), WatchType::modified);
}

void MemoryClient::erase(const Resource& resource, std::string_view key) {
  const auto current = peek(resource, key);
  if (current != nullptr) commit(resource, current->value(), WatchType::deleted);
}

void MemoryClient::break_watches() {
  ++watch_epoch_;
  changed_.notify_all();
}

void MemoryClient::compact() {
  compacted_ = revision_;
  history_.clear();
  ++watch_epoch_;
  changed_.notify_all();
}

}  // namespace koi::client
