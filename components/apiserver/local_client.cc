#include "apiserver/local_client.h"

namespace koi::apiserver {

namespace {

using base::Result;
using base::Task;

// In-process watches last as long as their reader wants.
constexpr std::int64_t watch_seconds = 1'000'000'000;

client::WatchType watch_type(StreamEvent::Type type) {
  switch (type) {
    case StreamEvent::Type::added:
      return client::WatchType::added;
    case StreamEvent::Type::modified:
      return client::WatchType::modified;
    case StreamEvent::Type::deleted:
      return client::WatchType::deleted;
    case StreamEvent::Type::bookmark:
      break;
  }
  return client::WatchType::bookmark;
}

class LocalWatch final : public client::Watch {
 public:
  explicit LocalWatch(std::unique_ptr<EventStream> stream) : stream_(std::move(stream)) {}

  Task<Result<std::vector<client::WatchEvent>>> next() override {
    auto events = co_await stream_->next();
    if (!events) co_return base::fail(events.error().to_error());
    if (events->empty()) co_return base::fail(base::Code::unavailable, "the watch has ended");
    std::vector<client::WatchEvent> out;
    out.reserve(events->size());
    for (auto& event : *events) out.push_back({watch_type(event.type), std::move(event.object)});
    co_return out;
  }

 private:
  std::unique_ptr<EventStream> stream_;
};

Result<api::ObjectPtr> object_of(api::StatusOr<Written>&& written) {
  if (!written) return base::fail(written.error().to_error());
  return std::move(written->object);
}

}  // namespace

api::StatusOr<Call> LocalClient::call(const client::Resource& resource) const {
  Call call{.user = identity_};
  call.resource =
      service_.operations().catalog().find(resource.group, resource.version, resource.plural);
  if (call.resource == nullptr) return std::unexpected(api::no_such_path_status());
  call.field_validation = api::FieldValidation::strict;
  call.field_manager = identity_.name;
  return call;
}

api::StatusOr<Call> LocalClient::call(const client::ObjectRef& ref) const {
  auto out = call(ref.resource);
  if (!out) return out;
  out->name_space = ref.name_space;
  out->name = ref.name;
  out->subresource = ref.subresource;
  return out;
}

Task<Result<api::ObjectPtr>> LocalClient::get(const client::ObjectRef& ref) {
  const auto made = call(ref);
  if (!made) co_return base::fail(made.error().to_error());
  auto object = service_.get(*made);
  if (!object) co_return base::fail(object.error().to_error());
  co_return std::move(*object);
}

Task<Result<client::ObjectList>> LocalClient::list(const client::Resource& resource,
                                                   const std::string& name_space,
                                                   const client::ListOptions& options) {
  auto made = call(resource);
  if (!made) co_return base::fail(made.error().to_error());
  made->name_space = name_space;
  const ListQuery query{.label_selector = options.label_selector,
                        .field_selector = options.field_selector,
                        .resource_version = options.resource_version,
                        .continue_token = options.continue_token,
                        .limit = options.limit};
  auto listed = service_.list(*made, query);
  if (!listed) co_return base::fail(listed.error().to_error());
  client::ObjectList out;
  out.resource_version = std::to_string(listed->revision);
  out.continue_token = std::move(listed->continue_token);
  out.items = std::move(listed->items);
  co_return out;
}

Task<Result<std::unique_ptr<client::Watch>>> LocalClient::watch(
    const client::Resource& resource, const std::string& name_space,
    const client::WatchOptions& options) {
  auto made = call(resource);
  if (!made) co_return base::fail(made.error().to_error());
  made->name_space = name_space;
  const WatchQuery query{.label_selector = options.label_selector,
                         .field_selector = options.field_selector,
                         .resource_version = options.resource_version,
                         .allow_bookmarks = true,
                         .timeout_seconds = watch_seconds};
  auto stream = service_.watch(*made, query);
  if (!stream) co_return base::fail(stream.error().to_error());
  co_return std::unique_ptr<client::Watch>(std::make_unique<LocalWatch>(std::move(*stream)));
}

Task<Result<api::ObjectPtr>> LocalClient::create(const client::ObjectRef& ref, json::Value object) {
  const auto made = call(ref);
  if (!made) co_return base::fail(made.error().to_error());
  co_return object_of(co_await service_.create(*made, std::move(object)));
}

Task<Result<api::ObjectPtr>> LocalClient::update(const client::ObjectRef& ref, json::Value object) {
  const auto made = call(ref);
  if (!made) co_return base::fail(made.error().to_error());
  co_return object_of(co_await service_.update(*made, std::move(object)));
}

Task<Result<api::ObjectPtr>> LocalClient::patch(const client::ObjectRef& ref,
                                                client::PatchType type, json::Value patch) {
  const auto made = call(ref);
  if (!made) co_return base::fail(made.error().to_error());
  PatchKind kind = PatchKind::merge;
  if (type == client::PatchType::json) kind = PatchKind::json;
  if (type == client::PatchType::strategic_merge) kind = PatchKind::strategic_merge;
  if (type == client::PatchType::apply) {
    co_return base::fail(base::Code::unsupported, "koi does not serve server-side apply yet");
  }
  co_return object_of(co_await service_.patch(*made, kind, std::move(patch)));
}

Task<Result<>> LocalClient::remove(const client::ObjectRef& ref,
                                   const client::DeleteOptions& options) {
  const auto made = call(ref);
  if (!made) co_return base::fail(made.error().to_error());
  const DeleteQuery query{.grace_period_seconds = options.grace_period_seconds,
                          .propagation_policy = options.propagation_policy,
                          .uid = options.precondition_uid,
                          .resource_version = options.precondition_resource_version};
  auto removed = co_await service_.remove(*made, query);
  if (!removed) co_return base::fail(removed.error().to_error());
  co_return Result<>();
}

}  // namespace koi::apiserver
