#include "apiserver/strategy.h"

#include <algorithm>

#include "apiserver/pod_quality.h"
#include "crypto/base64.h"

namespace koi::apiserver {

namespace {

void take_over(const json::Value& before, json::Value& object, json::Path path) {
  const json::Value* old = json::find(before, path);
  if (old != nullptr) {
    json::set(object, path, *old);
  } else {
    json::erase(object, path);
  }
}

void prepare_namespace(json::Value& object) {
  json::Array& finalizers = json::ensure_array(object, {"spec", "finalizers"});
  if (std::ranges::find(finalizers, json::Value("kubernetes")) == finalizers.end()) {
    finalizers.emplace_back("kubernetes");
  }
  object.as_object()["status"] = {{"phase", "Active"}};
  const std::string name(json::string_at(object, {"metadata", "name"}));
  json::set(object, {"metadata", "labels", "kubernetes.io/metadata.name"}, json::Value(name));
}

// stringData is a way of writing only.
void fold_string_data(json::Value& object) {
  const json::Object texts = json::object_at(object, {"stringData"});
  for (const auto& [key, text] : texts) {
    const auto* string = text.if_string();
    if (string == nullptr) continue;
    json::ensure_object(object, {"data"})[key] =
        crypto::base64_encode(std::string_view(string->data(), string->size()));
  }
  object.as_object().erase("stringData");
}

// Without a selector of its own a job selects its pods by its uid.
void prepare_job(json::Value& object) {
  if (json::bool_at(object, {"spec", "manualSelector"})) return;
  const json::Value uid = json::find(object, {"metadata", "uid"}) != nullptr
                              ? *json::find(object, {"metadata", "uid"})
                              : json::Value("");
  const json::Value name(json::string_at(object, {"metadata", "name"}));
  json::Object& labels = json::ensure_object(object, {"spec", "template", "metadata", "labels"});
  labels["batch.kubernetes.io/controller-uid"] = uid;
  labels["controller-uid"] = uid;
  labels["batch.kubernetes.io/job-name"] = name;
  labels["job-name"] = name;
  json::set(object, {"spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"}, uid);
}

void prepare_signing_request(const Call& call, json::Value& object) {
  json::Object& spec = json::ensure_object(object, {"spec"});
  spec["username"] = call.user.name;
  spec.erase("uid");
  if (!call.user.uid.empty()) spec["uid"] = call.user.uid;
  json::Array& groups = spec["groups"].emplace_array();
  for (const std::string& group : call.user.groups) groups.emplace_back(group);
  spec.erase("extra");
}

void write_status_only(const Call& call, const json::Value& before, json::Value& object) {
  json::Value next = before;
  const json::Value* status = json::find(object, {"status"});
  if (status != nullptr) {
    next.as_object()["status"] = *status;
  } else {
    next.as_object().erase("status");
  }
  // Nodes report labels and annotations along with their status.
  if (call.resource->plural() == "nodes" || call.resource->plural() == "pods") {
    for (const std::string_view field : {"labels", "annotations"}) {
      take_over(object, next, {"metadata", field});
    }
  }
  take_over(object, next, {"metadata", "resourceVersion"});
  object = std::move(next);
}

// Of the whole body only one member below spec or status counts.
void write_member_only(const json::Value& before, json::Value& object, json::Path path) {
  json::Value next = before;
  take_over(object, next, path);
  take_over(object, next, {"metadata", "resourceVersion"});
  object = std::move(next);
}

void write_resources_only(const json::Value& before, json::Value& object) {
  json::Value next = before;
  for (json::Value& container : json::ensure_array(next, {"spec", "containers"})) {
    for (const json::Value& wanted : json::array_at(object, {"spec", "containers"})) {
      if (json::string_at(wanted, {"name"}) != json::string_at(container, {"name"})) continue;
      take_over(wanted, container, {"resources"});
      take_over(wanted, container, {"resizePolicy"});
    }
  }
  take_over(object, next, {"metadata", "resourceVersion"});
  object = std::move(next);
}

}  // namespace

void prepare_for_create(const Call& call, json::Value& object) {
  const std::string_view plural = call.resource->plural();
  // A node may register with its status; everything else begins without.
  if (call.resource->has_status && plural != "nodes") {
    object.as_object()["status"].emplace_object();
  }
  if (plural == "pods") {
    object.as_object()["status"] = {{"phase", "Pending"}, {"qosClass", quality_class(object)}};
  } else if (plural == "namespaces") {
    prepare_namespace(object);
  } else if (plural == "secrets") {
    fold_string_data(object);
  } else if (plural == "persistentvolumes" || plural == "persistentvolumeclaims") {
    object.as_object()["status"] = {{"phase", "Pending"}};
  } else if (plural == "services") {
    object.as_object()["status"] = {{"loadBalancer", json::Object()}};
  } else if (plural == "jobs") {
    prepare_job(object);
  } else if (plural == "certificatesigningrequests") {
    prepare_signing_request(call, object);
  }
}

void prepare_for_update(const Call& call, const json::Value& before, json::Value& object) {
  const std::string_view part = call.subresource;
  const std::string_view plural = call.resource->plural();
  if (part == "status") {
    write_status_only(call, before, object);
    return;
  }
  if (part == "approval") {
    write_member_only(before, object, {"status", "conditions"});
    return;
  }
  if (part == "ephemeralcontainers") {
    write_member_only(before, object, {"spec", "ephemeralContainers"});
    return;
  }
  if (part == "resize") {
    write_resources_only(before, object);
    return;
  }
  // The others are changes that the server itself makes.
  if (!part.empty()) return;
  if (call.resource->has_status) take_over(before, object, {"status"});
  if (plural == "secrets") fold_string_data(object);
  // Only namespaces/finalize may let go of a namespace.
  if (plural == "namespaces") take_over(before, object, {"spec", "finalizers"});
  if (plural == "certificatesigningrequests") take_over(before, object, {"spec"});
}

}  // namespace koi::apiserver
