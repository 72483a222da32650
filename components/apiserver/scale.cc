#include "apiserver/scale.h"

#include "api/selectors.h"
#include "apiserver/patching.h"
#include "apiserver/shaping.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

std::string selector_text(const json::Value& workload) {
  const json::Value* selector = json::find(workload, {"spec", "selector"});
  if (selector == nullptr) return {};
  if (json::string_at(workload, {"kind"}) == "ReplicationController") {
    return api::LabelSelector::from_map(json::object_at(workload, {"spec", "selector"})).str();
  }
  const auto compiled = api::LabelSelector::from_object(selector);
  return compiled ? compiled->str() : std::string();
}

json::Value scale_value(const json::Value& workload) {
  json::Object scale;
  scale["kind"] = "Scale";
  scale["apiVersion"] = "autoscaling/v1";
  json::Object& metadata = scale["metadata"].emplace_object();
  for (const std::string_view field :
       {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    const json::Value* value = json::find(workload, {"metadata", field});
    if (value != nullptr) metadata[field] = *value;
  }
  scale["spec"].emplace_object();
  if (const auto replicas = json::int_at(workload, {"spec", "replicas"}, 0); replicas != 0) {
    scale["spec"].as_object()["replicas"] = replicas;
  }
  json::Object& status = scale["status"].emplace_object();
  status["replicas"] = json::int_at(workload, {"status", "replicas"}, 0);
  const std::string selector = selector_text(workload);
  if (!selector.empty()) status["selector"] = selector;
  return scale;
}

StatusOr<json::Value> scaled(const Call& call, const json::Value& workload,
                             const json::Value& scale) {
  const std::int64_t replicas = json::int_at(scale, {"spec", "replicas"}, 0);
  if (replicas < 0) {
    api::FieldErrors errors;
    errors.push_back(
        api::invalid("spec.replicas", json::Value(replicas), "must be greater than or equal to 0"));
    return std::unexpected(api::invalid_status("autoscaling", "Scale", call.name, errors));
  }
  const std::string_view revision = json::string_at(scale, {"metadata", "resourceVersion"});
  const std::string_view uid = json::string_at(scale, {"metadata", "uid"});
  json::Value next = workload;
  json::set(next, {"spec", "replicas"}, json::Value(replicas));
  // With these the write holds only for the state that the client saw.
  if (revision.empty()) {
    json::erase(next, {"metadata", "resourceVersion"});
  } else {
    json::set(next, {"metadata", "resourceVersion"}, json::Value(revision));
  }
  if (!uid.empty()) json::set(next, {"metadata", "uid"}, json::Value(uid));
  return next;
}

Outcome<Written> commit_scale(Operations& operations, const Call& call, const Change& change) {
  auto written = co_await operations.change(call, change);
  if (!written) co_return written;
  co_return Written{scale_of(*written->object)};
}

}  // namespace

api::ObjectPtr scale_of(const api::Object& workload) {
  return api::make_object(scale_value(workload.value()));
}

Outcome<Written> write_scale(Operations& operations, const Call& call, json::Value scale) {
  const api::Kind& kind = call.body_kind(operations.catalog().schema());
  auto shaped = shape(call, kind, std::move(scale));
  if (!shaped) co_return std::unexpected(shaped.error());
  const Change change = [&](const json::Value& workload) {
    return scaled(call, workload, *shaped);
  };
  co_return co_await commit_scale(operations, call, change);
}

Outcome<Written> patch_scale(Operations& operations, const Call& call, PatchKind kind,
                             const json::Value& patch) {
  const api::Kind& scale_kind = call.body_kind(operations.catalog().schema());
  const Change change = [&](const json::Value& workload) -> StatusOr<json::Value> {
    auto patched = apply_patch(*scale_kind.type, kind, scale_value(workload), patch);
    if (!patched) return patched;
    auto shaped = shape(call, scale_kind, std::move(*patched));
    if (!shaped) return shaped;
    return scaled(call, workload, *shaped);
  };
  co_return co_await commit_scale(operations, call, change);
}

}  // namespace koi::apiserver
