#include <algorithm>

#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

constexpr std::string_view updatable =
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)";
constexpr std::size_t shown_bytes_max = 200;

std::string shown(const json::Value* value) {
  if (value == nullptr) return "<unset>";
  std::string text = json::serialize(*value);
  if (text.size() > shown_bytes_max) text = text.substr(0, shown_bytes_max) + "...";
  return text;
}

// Where two specs first differ, as deep as they have the same shape.
std::string difference(const json::Value* before, const json::Value* after,
                       const std::string& path) {
  const bool are_objects =
      before != nullptr && after != nullptr && before->is_object() && after->is_object();
  if (are_objects) {
    for (const auto& member : before->get_object()) {
      const json::Value* other = after->get_object().if_contains(member.key());
      if (!is_same(&member.value(), other)) {
        return difference(&member.value(), other, at(path, member.key()));
      }
    }
    for (const auto& member : after->get_object()) {
      if (!before->get_object().contains(member.key())) {
        return difference(nullptr, &member.value(), at(path, member.key()));
      }
    }
  }
  const bool are_arrays = before != nullptr && after != nullptr && before->is_array() &&
                          after->is_array() &&
                          before->get_array().size() == after->get_array().size();
  if (are_arrays) {
    for (std::size_t i = 0; i < before->get_array().size(); ++i) {
      const json::Value& left = before->get_array()[i];
      const json::Value& right = after->get_array()[i];
      if (left != right) return difference(&left, &right, at(path, i));
    }
  }
  return "  " + path + ": " + shown(before) + " -> " + shown(after);
}

void check_deadline(FieldErrors& errors, const json::Value& pod, const json::Value& before) {
  const auto seconds = json::int_at(pod, {"spec", "activeDeadlineSeconds"});
  const auto had = json::int_at(before, {"spec", "activeDeadlineSeconds"});
  if (!had) return;
  if (!seconds) {
    errors.push_back(invalid("spec.activeDeadlineSeconds", json::Value(nullptr),
                             "must not update from a positive integer to nil value"));
  } else if (*seconds > *had) {
    errors.push_back(invalid("spec.activeDeadlineSeconds", *seconds,
                             "must be less than or equal to previous value"));
  }
}

// Tolerations may be added, and their seconds changed.
bool keeps_tolerations(const json::Value& pod, const json::Value& before) {
  const auto without_seconds = [](json::Value toleration) {
    json::erase(toleration, {"tolerationSeconds"});
    return toleration;
  };
  const json::Array& now = json::array_at(pod, {"spec", "tolerations"});
  return std::ranges::all_of(json::array_at(before, {"spec", "tolerations"}),
                             [&](const json::Value& old) {
                               const json::Value wanted = without_seconds(old);
                               return std::ranges::any_of(now, [&](const json::Value& toleration) {
                                 return without_seconds(toleration) == wanted;
                               });
                             });
}

// Gates may be taken away, never added.
void check_gates(FieldErrors& errors, const json::Value& pod, const json::Value& before) {
  const json::Array& old = json::array_at(before, {"spec", "schedulingGates"});
  for (const json::Value& gate : json::array_at(pod, {"spec", "schedulingGates"})) {
    if (std::ranges::find(old, gate) != old.end()) continue;
    errors.push_back(forbidden("spec.schedulingGates",
                               "only deletion is allowed, but found new scheduling gate '" +
                                   std::string(json::string_at(gate, {"name"})) + "'"));
  }
}

void put_back(json::Value& spec, const json::Value& before, std::string_view member) {
  if (const json::Value* old = json::find(before, {"spec", member})) {
    json::set(spec, {member}, *old);
  } else {
    json::erase(spec, {member});
  }
}

// The new spec with everything that may change put back.
json::Value restored_spec(const json::Value& pod, const json::Value& before) {
  json::Value spec = *json::find(pod, {"spec"});
  for (const std::string_view list : {"containers", "initContainers"}) {
    json::Value* containers = json::find(spec, {list});
    if (containers == nullptr || !containers->is_array()) continue;
    const json::Array& old = json::array_at(before, {"spec", list});
    for (std::size_t i = 0; i < containers->get_array().size() && i < old.size(); ++i) {
      json::set(containers->get_array()[i], {"image"},
                json::Value(std::string(json::string_at(old[i], {"image"}))));
    }
  }
  for (const std::string_view member :
       {"activeDeadlineSeconds", "tolerations", "schedulingGates"}) {
    put_back(spec, before, member);
  }
  // A pod that is held back may still be narrowed to fewer nodes.
  if (!is_empty(before, {"spec", "schedulingGates"})) {
    put_back(spec, before, "nodeSelector");
    put_back(spec, before, "affinity");
  }
  const auto grace = json::int_at(before, {"spec", "terminationGracePeriodSeconds"}, 0);
  if (grace < 0 && json::int_at(spec, {"terminationGracePeriodSeconds"}, 0) == 1) {
    json::set(spec, {"terminationGracePeriodSeconds"}, grace);
  }
  return spec;
}

}  // namespace

void check_pod_update(FieldErrors& errors, const json::Value& pod, const json::Value& before) {
  const json::Value* now = json::find(pod, {"spec"});
  const json::Value* old = json::find(before, {"spec"});
  if (now == nullptr || old == nullptr || *now == *old) return;
  for (const std::string_view list : {"containers", "initContainers"}) {
    if (json::array_at(pod, {"spec", list}).size() !=
        json::array_at(before, {"spec", list}).size()) {
      errors.push_back(forbidden(at("spec", list), "pod updates may not add or remove containers"));
      return;
    }
  }
  check_deadline(errors, pod, before);
  check_gates(errors, pod, before);
  if (!keeps_tolerations(pod, before)) {
    errors.push_back(forbidden("spec.tolerations",
                               "existing toleration can not be modified except its "
                               "tolerationSeconds"));
  }
  const json::Value spec = restored_spec(pod, before);
  if (spec == *old) return;
  errors.push_back(
      forbidden("spec", std::string(updatable) + "\n" + difference(old, &spec, "spec") + "\n"));
}

}  // namespace koi::api::rules
