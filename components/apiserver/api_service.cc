#include "apiserver/api_service.h"

#include "apiserver/patching.h"
#include "apiserver/pod_parts.h"
#include "apiserver/reviews.h"
#include "apiserver/scale.h"
#include "apiserver/shaping.h"
#include "apiserver/token_request.h"
#include "apiserver/versions.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

bool serves(const Call& call, std::string_view verb) {
  if (call.subresource.empty()) return call.resource->kind->has_verb(verb);
  const api::Subresource* part = call.resource->kind->subresource(call.subresource);
  if (part == nullptr) return false;
  for (const std::string_view own : part->verbs) {
    if (own == verb) return true;
  }
  return false;
}

// The content of a namespace is gone: lets go of it.
Outcome<Written> finalize_namespace(Operations& operations, const Call& call, json::Value body) {
  auto shaped = shape(call, *call.resource->kind, std::move(body));
  if (!shaped) co_return std::unexpected(shaped.error());
  const Change change = [&shaped](const json::Value& current) -> StatusOr<json::Value> {
    json::Value next = current;
    const json::Array& finalizers = json::array_at(*shaped, {"spec", "finalizers"});
    if (finalizers.empty()) {
      json::erase(next, {"spec", "finalizers"});
    } else {
      json::set(next, {"spec", "finalizers"}, finalizers);
    }
    json::set(next, {"metadata", "resourceVersion"},
              json::Value(json::string_at(*shaped, {"metadata", "resourceVersion"})));
    return next;
  };
  co_return co_await operations.change(call, change);
}

}  // namespace

StatusOr<void> ApiService::authorize(const auth::Identity& user, const auth::Access& access) const {
  const auth::Verdict verdict = doors_.authorizer.decide(user, access);
  if (verdict.allowed) return {};
  api::AccessDenied denied{.user = user.name,
                           .verb = access.verb,
                           .group = access.group,
                           .resource = access.resource,
                           .subresource = access.subresource,
                           .name_space = access.name_space,
                           .name = access.name,
                           .path = access.path,
                           .reason = verdict.reason};
  return std::unexpected(api::access_denied_status(denied));
}

StatusOr<void> ApiService::admit(const Call& call, std::string_view verb) const {
  auth::Access access;
  access.verb = verb;
  access.group = call.resource->group();
  access.resource = call.resource->plural();
  access.subresource = call.subresource;
  access.name_space = call.name_space;
  access.name = call.name;
  if (auto allowed = authorize(call.user, access); !allowed) return allowed;
  if (serves(call, verb)) return {};
  if (!call.subresource.empty() && call.resource->kind->subresource(call.subresource) == nullptr) {
    return std::unexpected(api::no_such_path_status());
  }
  return std::unexpected(api::method_not_allowed_status());
}

StatusOr<api::ObjectPtr> ApiService::get(const Call& call) const {
  if (auto admitted = admit(call, "get"); !admitted) return std::unexpected(admitted.error());
  auto object = doors_.operations.get(stored_call(call));
  if (object && call.resource->stored_as != nullptr) return viewed(*call.resource, *object);
  if (object && call.subresource == "scale") return scale_of(**object);
  return object;
}

StatusOr<ListResult> ApiService::list(const Call& call, const ListQuery& query) const {
  if (auto admitted = admit(call, "list"); !admitted) return std::unexpected(admitted.error());
  auto listed = doors_.operations.list(stored_call(call), query);
  if (listed) show(call, *listed);
  return listed;
}

StatusOr<std::unique_ptr<EventStream>> ApiService::watch(const Call& call,
                                                         const WatchQuery& query) const {
  if (auto admitted = admit(call, "watch"); !admitted) return std::unexpected(admitted.error());
  auto stream = doors_.operations.watch(stored_call(call), query);
  if (stream && call.resource->stored_as != nullptr) {
    (*stream)->set_view([resource = call.resource](const api::ObjectPtr& object) {
      return viewed(*resource, object);
    });
  }
  return stream;
}

Outcome<Written> ApiService::create(const Call& call, json::Value body) {
  if (auto admitted = admit(call, "create"); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  if (!call.subresource.empty()) co_return co_await create_part(call, std::move(body));
  if (call.resource->is_virtual) co_return co_await create_virtual(call, std::move(body));
  if (call.resource->stored_as == nullptr) {
    co_return co_await doors_.operations.create(call, std::move(body));
  }
  auto stored = stored_body(call, std::move(body));
  if (!stored) co_return std::unexpected(stored.error());
  const Call inner = stored_call(call);
  co_return shown(call, co_await doors_.operations.create(inner, std::move(*stored)));
}

Outcome<Written> ApiService::create_part(const Call& call, json::Value body) {
  const api::Kind& kind = call.body_kind(doors_.operations.catalog().schema());
  auto shaped = shape(call, kind, std::move(body));
  if (!shaped) co_return std::unexpected(shaped.error());
  if (call.subresource == "binding") {
    co_return co_await bind_pod(doors_.operations, call, *shaped);
  }
  if (call.subresource == "eviction") {
    co_return co_await evict_pod(doors_.operations, call, *shaped);
  }
  if (call.subresource == "token" && doors_.tokens) {
    co_return co_await request_token(doors_.operations, *doors_.tokens, call, std::move(*shaped));
  }
  co_return std::unexpected(api::not_implemented_status("koi does not serve " +
                                                        std::string(call.resource->plural()) + "/" +
                                                        call.subresource + " yet"));
}

Outcome<Written> ApiService::create_virtual(const Call& call, json::Value body) {
  auto shaped = shape(call, *call.resource->kind, std::move(body));
  if (!shaped) co_return std::unexpected(shaped.error());
  if (call.resource->plural() == "bindings") {
    co_return co_await bind_pod(doors_.operations, call, *shaped);
  }
  const ReviewDoors doors{doors_.authorizer, doors_.authenticator,
                          doors_.operations.clock().wall_now()};
  auto answer = answer_review(call, std::move(*shaped), doors);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Written{api::make_object(std::move(*answer)), true};
}

Outcome<Written> ApiService::update(const Call& call, json::Value body) {
  if (auto admitted = admit(call, "update"); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  if (call.subresource == "scale") {
    co_return co_await write_scale(doors_.operations, call, std::move(body));
  }
  if (call.subresource == "finalize") {
    co_return co_await finalize_namespace(doors_.operations, call, std::move(body));
  }
  if (call.resource->stored_as == nullptr) {
    co_return co_await doors_.operations.update(call, std::move(body));
  }
  auto stored = stored_body(call, std::move(body));
  if (!stored) co_return std::unexpected(stored.error());
  const Call inner = stored_call(call);
  co_return shown(call, co_await doors_.operations.update(inner, std::move(*stored)));
}

Outcome<Written> ApiService::patch(const Call& call, PatchKind kind, json::Value patch) {
  if (auto admitted = admit(call, "patch"); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  if (call.subresource == "scale") {
    co_return co_await patch_scale(doors_.operations, call, kind, patch);
  }
  if (call.resource->stored_as == nullptr) {
    co_return co_await doors_.operations.patch(call, kind, patch);
  }
  const Change change = [&](const json::Value& current) -> StatusOr<json::Value> {
    auto patched =
        apply_patch(*call.resource->kind->type, kind, viewed(*call.resource, current), patch);
    if (!patched) return patched;
    return stored_body(call, std::move(*patched));
  };
  const Call inner = stored_call(call);
  co_return shown(call, co_await doors_.operations.change(inner, change));
}

Outcome<Removed> ApiService::remove(const Call& call, const DeleteQuery& query) {
  if (auto admitted = admit(call, "delete"); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  const Call inner = stored_call(call);
  auto removed = co_await doors_.operations.remove(inner, query);
  if (removed && call.resource->stored_as != nullptr) {
    removed->object = viewed(*call.resource, removed->object);
  }
  co_return removed;
}

Outcome<ListResult> ApiService::remove_collection(const Call& call, const ListQuery& selection,
                                                  const DeleteQuery& query) {
  if (auto admitted = admit(call, "deletecollection"); !admitted) {
    co_return std::unexpected(admitted.error());
  }
  const Call inner = stored_call(call);
  auto removed = co_await doors_.operations.remove_collection(inner, selection, query);
  if (removed) show(call, *removed);
  co_return removed;
}

}  // namespace koi::apiserver
