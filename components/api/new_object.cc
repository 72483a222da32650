#include <algorithm>
#include <string>

#include "api/default_hooks.h"
#include "api/defaulting.h"
#include "api/quantity.h"

namespace koi::api {

namespace {

using json::Object;
using json::Value;

struct Claims {
  bool any = false;        // some request or limit
  bool guaranteed = true;  // limits for both, and requests equal to them
};

void add_claims(const Value& resources, Claims& claims) {
  const Object& limits = json::object_at(resources, {"limits"});
  const Object& requests = json::object_at(resources, {"requests"});
  const auto amount = [](const Object& list, std::string_view name) {
    return Quantity::parse(text_member(list, name)).value_or(Quantity());
  };
  for (const std::string_view name : {"cpu", "memory"}) {
    const Quantity limit = amount(limits, name);
    const Quantity request = amount(requests, name);
    claims.any = claims.any || !limit.is_zero() || !request.is_zero();
    claims.guaranteed = claims.guaranteed && !limit.is_zero() && limit == request;
  }
}

void new_pod(Value& pod) {
  json::set(pod, {"status"}, Value(boost::json::object_kind));
  json::set(pod, {"status", "phase"}, "Pending");
  json::set(pod, {"status", "qosClass"}, Value(qos_class(pod)));
}

void new_namespace(Value& value) {
  auto& finalizers = json::ensure_array(value, {"spec", "finalizers"});
  const bool has_ours = std::any_of(finalizers.begin(), finalizers.end(),
                                    [](const Value& item) { return item == "kubernetes"; });
  if (!has_ours) finalizers.emplace_back("kubernetes");
  json::set(value, {"status"}, Value(boost::json::object_kind));
  json::set(value, {"status", "phase"}, "Active");
}

// Pods of a Job are found by its uid, unless the user says that the selector is theirs.
void new_job(Value& job) {
  if (json::bool_at(job, {"spec", "manualSelector"})) return;
  const std::string uid(json::string_at(job, {"metadata", "uid"}));
  const std::string name(json::string_at(job, {"metadata", "name"}));
  if (uid.empty()) return;
  auto& labels = json::ensure_object(job, {"spec", "template", "metadata", "labels"});
  labels["batch.kubernetes.io/controller-uid"] = uid;
  labels["controller-uid"] = uid;
  labels["batch.kubernetes.io/job-name"] = name;
  labels["job-name"] = name;
  json::set(job, {"spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"},
            Value(uid));
}

// The two names of a claim's source mirror each other.
void new_claim(Value& claim) {
  const Value* source = json::find(claim, {"spec", "dataSource"});
  const Value* reference = json::find(claim, {"spec", "dataSourceRef"});
  if (source != nullptr && reference == nullptr) {
    const Value copy = *source;
    json::set(claim, {"spec", "dataSourceRef"}, copy);
  } else if (reference != nullptr && source == nullptr &&
             json::string_at(*reference, {"namespace"}).empty()) {
    const Value copy = *reference;
    json::set(claim, {"spec", "dataSource"}, copy);
  }
  json::set(claim, {"status"}, Value(boost::json::object_kind));
  json::set(claim, {"status", "phase"}, "Pending");
}

}  // namespace

std::string_view qos_class(const json::Value& pod) {
  Claims claims;
  if (const Value* whole = json::find(pod, {"spec", "resources"})) {
    add_claims(*whole, claims);
  } else {
    for (const std::string_view list : {"containers", "initContainers"}) {
      for (const auto& container : json::array_at(pod, {"spec", list})) {
        const Value* resources = json::find(container, {"resources"});
        add_claims(resources != nullptr ? *resources : container, claims);
      }
    }
  }
  if (!claims.any) return "BestEffort";
  return claims.guaranteed ? "Guaranteed" : "Burstable";
}

void prepare_new_object(json::Value& value, const Kind& kind) {
  if (kind.group.empty() && kind.kind == "Pod") new_pod(value);
  if (kind.group.empty() && kind.kind == "Namespace") new_namespace(value);
  if (kind.group.empty() && kind.kind == "PersistentVolumeClaim") new_claim(value);
  if (kind.group.empty() && kind.kind == "PersistentVolume") {
    json::set(value, {"status"}, Value(boost::json::object_kind));
    json::set(value, {"status", "phase"}, "Pending");
  }
  if (kind.group == "batch" && kind.kind == "Job") new_job(value);
}

}  // namespace koi::api
