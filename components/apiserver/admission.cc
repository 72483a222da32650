#include "apiserver/admission.h"

#include <algorithm>

#include "apiserver/escalation.h"
#include "apiserver/node_restriction.h"
#include "apiserver/pod_defaults.h"

namespace koi::apiserver {

namespace {

using namespace std::chrono_literals;
using api::StatusOr;

// A new namespace gets its service account a moment after it was made.
constexpr int service_account_attempts_max = 10;
constexpr auto service_account_retry = 100ms;

bool is_annotated_default(const api::Object& object, std::string_view annotation) {
  return json::string_at(object.value(), {"metadata", "annotations", annotation}) == "true";
}

bool is_protected_namespace(std::string_view name) {
  return name == "default" || name == "kube-system" || name == "kube-public" ||
         name == "kube-node-lease";
}

}  // namespace

datastore::EntryPtr Admission::find(std::string_view group, std::string_view plural,
                                    std::string_view name_space, std::string_view name) const {
  const Resource* resource = doors_.catalog.find_any_version(group, plural);
  return resource == nullptr ? nullptr : doors_.store.get(resource->key(name_space, name));
}

std::vector<api::ObjectPtr> Admission::all_of(std::string_view group,
                                              std::string_view plural) const {
  std::vector<api::ObjectPtr> out;
  const Resource* resource = doors_.catalog.find_any_version(group, plural);
  if (resource == nullptr) return out;
  const auto range = doors_.store.range(resource->prefix, {});
  if (!range) return out;
  for (const auto& entry : range->entries) out.push_back(entry->object);
  return out;
}

base::Task<StatusOr<ServiceClaim>> Admission::admit(const Attempt& attempt) const {
  const std::string_view plural = attempt.call.resource->plural();
  const bool is_creation = attempt.before == nullptr;
  const bool is_whole = attempt.call.subresource.empty();
  if (auto own = check_node_writes(attempt.call, attempt.object, attempt.before); !own) {
    co_return std::unexpected(own.error());
  }
  if (is_creation) {
    if (auto checked = check_namespace(attempt); !checked) {
      co_return std::unexpected(checked.error());
    }
    warn_if_idle(attempt);
    add_default_class(attempt);
  }
  auto granted = check_escalation(attempt.call, attempt.object, attempt.before, doors_.authorizer);
  if (!granted) co_return std::unexpected(granted.error());
  if (plural == "pods" && is_whole) {
    if (is_creation) {
      auto added = co_await add_service_account(attempt);
      if (added) added = add_priority(attempt);
      if (!added) co_return std::unexpected(added.error());
    }
    add_default_tolerations(attempt.object);
  }
  if (plural == "services" && attempt.call.resource->group().empty() && is_whole) {
    co_return doors_.services.assign(attempt.object, attempt.before);
  }
  co_return ServiceClaim();
}

StatusOr<void> Admission::check_namespace(const Attempt& attempt) const {
  const Call& call = attempt.call;
  if (!call.resource->namespaced()) return {};
  const auto entry = find("", "namespaces", "", call.name_space);
  if (!entry) {
    return std::unexpected(api::not_found_status({"", "namespaces", call.name_space}));
  }
  if (!entry->object->is_terminating()) return {};
  api::Status status =
      api::forbidden_status(call.about(), "unable to create new content in namespace " +
                                              call.name_space + " because it is being terminated");
  status.details.causes.push_back({"NamespaceTerminating",
                                   "namespace " + call.name_space + " is being terminated",
                                   "metadata.namespace"});
  return std::unexpected(std::move(status));
}

base::Task<StatusOr<void>> Admission::add_service_account(const Attempt& attempt) const {
  const Call& call = attempt.call;
  json::Value& pod = attempt.object;
  if (is_mirror_pod(pod)) co_return StatusOr<void>();
  if (json::string_at(pod, {"spec", "serviceAccountName"}).empty()) {
    json::set(pod, {"spec", "serviceAccountName"}, "default");
  }
  const std::string name(json::string_at(pod, {"spec", "serviceAccountName"}));
  json::set(pod, {"spec", "serviceAccount"}, json::Value(name));
  auto account = find("", "serviceaccounts", call.name_space, name);
  for (int i = 1; !account && name == "default" && i < service_account_attempts_max; ++i) {
    co_await doors_.clock.sleep_for(service_account_retry);
    account = find("", "serviceaccounts", call.name_space, name);
  }
  if (!account) {
    co_return std::unexpected(api::forbidden_status(
        call.about(), "error looking up service account " + call.name_space + "/" + name +
                          ": serviceaccount " + api::quoted(name) + " not found"));
  }
  add_api_access(pod, account->object->value(), doors_.random);
  co_return StatusOr<void>();
}

StatusOr<void> Admission::add_priority(const Attempt& attempt) const {
  json::Value& pod = attempt.object;
  const std::string name(json::string_at(pod, {"spec", "priorityClassName"}));
  api::ObjectPtr priority_class;
  if (!name.empty()) {
    const auto entry = find("scheduling.k8s.io", "priorityclasses", "", name);
    if (!entry) {
      return std::unexpected(api::forbidden_status(
          attempt.call.about(), "no PriorityClass with name " + name + " was found"));
    }
    priority_class = entry->object;
  } else {
    for (const auto& candidate : all_of("scheduling.k8s.io", "priorityclasses")) {
      if (!json::bool_at(candidate->value(), {"globalDefault"})) continue;
      priority_class = candidate;
      json::set(pod, {"spec", "priorityClassName"}, json::Value(candidate->name()));
      break;
    }
  }
  const json::Value nothing;
  const json::Value& facts = priority_class ? priority_class->value() : nothing;
  const std::int64_t priority = json::int_at(facts, {"value"}, 0);
  const auto given = json::int_at(pod, {"spec", "priority"});
  if (given && *given != priority) {
    return std::unexpected(api::forbidden_status(
        attempt.call.about(),
        "the integer value of priority (" + std::to_string(*given) +
            ") must not be provided in pod spec; priority admission controller computed " +
            std::to_string(priority) + " from the given PriorityClass name"));
  }
  json::set(pod, {"spec", "priority"}, priority);
  if (json::string_at(pod, {"spec", "preemptionPolicy"}).empty()) {
    const std::string_view policy = json::string_at(facts, {"preemptionPolicy"});
    json::set(pod, {"spec", "preemptionPolicy"},
              json::Value(policy.empty() ? "PreemptLowerPriority" : policy));
  }
  return {};
}

void Admission::add_default_class(const Attempt& attempt) const {
  json::Value& object = attempt.object;
  const std::string_view plural = attempt.call.resource->plural();
  if (plural == "persistentvolumeclaims") {
    if (json::find(object, {"spec", "storageClassName"}) != nullptr) return;
    for (const auto& candidate : all_of("storage.k8s.io", "storageclasses")) {
      if (!is_annotated_default(*candidate, "storageclass.kubernetes.io/is-default-class"))
        continue;
      json::set(object, {"spec", "storageClassName"}, json::Value(candidate->name()));
      return;
    }
  } else if (plural == "ingresses") {
    if (json::find(object, {"spec", "ingressClassName"}) != nullptr) return;
    for (const auto& candidate : all_of("networking.k8s.io", "ingressclasses")) {
      if (!is_annotated_default(*candidate, "ingressclass.kubernetes.io/is-default-class"))
        continue;
      json::set(object, {"spec", "ingressClassName"}, json::Value(candidate->name()));
      return;
    }
  }
}

void Admission::warn_if_idle(const Attempt& attempt) const {
  static constexpr std::string_view not_enforced[] = {"resourcequotas",
                                                      "limitranges",
                                                      "networkpolicies",
                                                      "mutatingwebhookconfigurations",
                                                      "validatingwebhookconfigurations",
                                                      "validatingadmissionpolicies",
                                                      "validatingadmissionpolicybindings",
                                                      "mutatingadmissionpolicies",
                                                      "mutatingadmissionpolicybindings",
                                                      "horizontalpodautoscalers",
                                                      "customresourcedefinitions",
                                                      "apiservices",
                                                      "flowschemas",
                                                      "prioritylevelconfigurations"};
  const std::string_view plural = attempt.call.resource->plural();
  if (std::ranges::find(not_enforced, plural) == std::end(not_enforced)) return;
  attempt.call.warn("koi stores " + std::string(plural) + " but does not act on them yet");
}

StatusOr<void> Admission::admit_removal(const Call& call, const json::Value& object) const {
  if (auto own = check_node_writes(call, object, &object); !own) return own;
  if (call.resource->plural() == "namespaces" && is_protected_namespace(call.name)) {
    return std::unexpected(
        api::forbidden_status(call.about(), "this namespace may not be deleted"));
  }
  return {};
}

void Admission::settled(const Resource& resource, const json::Value& before,
                        const json::Value* after) const {
  if (resource.plural() != "services" || !resource.group().empty()) return;
  doors_.services.release(before);
  if (after != nullptr) doors_.services.restore(*after);
}

}  // namespace koi::apiserver
