#include "api/validation.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "api/validation_rules.h"

namespace koi::api {

namespace rules {

namespace {

constexpr std::size_t annotations_bytes_max = 256 * 1024;
constexpr std::string_view immutable = "field is immutable";

using NameCheck = Complaint (*)(std::string_view);

NameCheck name_check(const Kind& kind) {
  if (kind.group.empty()) {
    if (kind.kind == "Namespace") return check_dns1123_label;
    if (kind.kind == "Service") return check_dns1035_label;
    return check_dns1123_subdomain;
  }
  if (kind.group == "rbac.authorization.k8s.io" || kind.group == "apiregistration.k8s.io") {
    return check_path_segment;
  }
  // An address is no DNS name when it is IPv6.
  if (kind.kind == "IPAddress") return check_ip;
  return check_dns1123_subdomain;
}

void check_names(FieldErrors& errors, const Kind& kind, const json::Value& object) {
  const std::string_view name = json::string_at(object, {"metadata", "name"});
  const std::string_view prefix = json::string_at(object, {"metadata", "generateName"});
  const NameCheck check = name_check(kind);
  if (!prefix.empty()) {
    // What is appended turns a trailing dash into a good name.
    std::string masked(prefix);
    if (masked.size() > 1 && masked.ends_with('-')) masked.back() = 'a';
    if (const auto wrong = check(masked)) {
      errors.push_back(invalid("metadata.generateName", json::Value(std::string(prefix)), *wrong));
    }
  }
  if (name.empty()) {
    if (prefix.empty()) {
      errors.push_back(required("metadata.name", "name or generateName is required"));
    }
  } else {
    check_name(errors, "metadata.name", name, check);
  }
  const std::string_view name_space = json::string_at(object, {"metadata", "namespace"});
  if (kind.namespaced) {
    if (name_space.empty()) {
      errors.push_back(required("metadata.namespace"));
    } else {
      check_name(errors, "metadata.namespace", name_space, check_dns1123_label);
    }
  } else if (!name_space.empty()) {
    errors.push_back(forbidden("metadata.namespace", "not allowed on this type"));
  }
}

void check_annotations(FieldErrors& errors, const json::Object& annotations) {
  std::size_t bytes = 0;
  for (const auto& annotation : annotations) {
    std::string key(annotation.key());
    bytes += key.size() + json::string_at(annotation.value(), {}).size();
    std::ranges::transform(key, key.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (const auto wrong = check_qualified_name(key)) {
      errors.push_back(
          invalid("metadata.annotations", json::Value(std::string(annotation.key())), *wrong));
    }
  }
  if (bytes > annotations_bytes_max) {
    errors.push_back(too_long("metadata.annotations", annotations_bytes_max));
  }
}

void check_owners(FieldErrors& errors, const json::Array& owners) {
  std::string first;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    const json::Value& owner = owners[i];
    const std::string path = at("metadata.ownerReferences", i);
    for (const std::string_view member : {"apiVersion", "kind", "name", "uid"}) {
      if (json::string_at(owner, {member}).empty()) {
        const bool is_version = member == "apiVersion";
        errors.push_back(invalid(at(path, member), json::Value(""),
                                 is_version ? "version must not be empty" : "must not be empty"));
      }
    }
    if (!json::bool_at(owner, {"controller"})) continue;
    std::string named(json::string_at(owner, {"kind"}));
    named.append("/").append(json::string_at(owner, {"name"}));
    if (first.empty()) {
      first = std::move(named);
      continue;
    }
    errors.push_back(invalid("metadata.ownerReferences", json::Value(owners),
                             "Only one reference can have Controller set to true. Found \"true\" "
                             "in references for " +
                                 first + " and " + named));
  }
}

void check_finalizers(FieldErrors& errors, const json::Value& object, const json::Value* before) {
  const json::Array& finalizers = json::array_at(object, {"metadata", "finalizers"});
  for (const json::Value& finalizer : finalizers) {
    if (const auto wrong = check_qualified_name(json::string_at(finalizer, {}))) {
      errors.push_back(invalid("metadata.finalizers", finalizer, *wrong));
    }
  }
  const bool is_going =
      before != nullptr && json::find(*before, {"metadata", "deletionTimestamp"}) != nullptr;
  if (!is_going) return;
  const json::Array& kept = json::array_at(*before, {"metadata", "finalizers"});
  std::string added;
  for (const json::Value& finalizer : finalizers) {
    if (std::ranges::find(kept, finalizer) != kept.end()) continue;
    if (!added.empty()) added += ", ";
    added += quoted(json::string_at(finalizer, {}));
  }
  if (!added.empty()) {
    errors.push_back(forbidden("metadata.finalizers",
                               "no new finalizers can be added if the object is being deleted, "
                               "found new finalizers []string{" +
                                   added + "}"));
  }
}

}  // namespace

std::string at(std::string_view path, std::string_view member) {
  std::string text(path);
  if (!text.empty()) text += '.';
  return text.append(member);
}

std::string at(std::string_view path, std::size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

std::string at_key(std::string_view path, std::string_view key) {
  return std::string(path) + "[" + std::string(key) + "]";
}

bool is_empty(const json::Value& object, json::Path path) {
  const json::Value* value = json::find(object, path);
  if (value == nullptr || value->is_null()) return true;
  if (value->is_string()) return value->get_string().empty();
  if (value->is_array()) return value->get_array().empty();
  if (value->is_object()) return value->get_object().empty();
  return false;
}

bool is_same(const json::Value* left, const json::Value* right) {
  const bool has_left = left != nullptr && !left->is_null();
  const bool has_right = right != nullptr && !right->is_null();
  if (!has_left || !has_right) return has_left == has_right;
  return *left == *right;
}

void check_not_negative(FieldErrors& errors, const json::Value& object, std::string_view path,
                        std::string_view member) {
  const auto number = json::int_at(object, {member});
  if (number && *number < 0) {
    errors.push_back(invalid(at(path, member), *number, "must be greater than or equal to 0"));
  }
}

void check_port_number(FieldErrors& errors, std::string path, std::int64_t port) {
  if (port < 1 || port > 65535) {
    errors.push_back(invalid(std::move(path), port, "must be between 1 and 65535, inclusive"));
  }
}

void check_port_reference(FieldErrors& errors, std::string path, const json::Value* port) {
  if (port == nullptr) return;
  if (port->is_string()) {
    check_name(errors, std::move(path), json::string_at(*port, {}), check_port_name);
  } else {
    check_port_number(errors, std::move(path), json::int_at(*port, {}, 0));
  }
}

void check_labels(FieldErrors& errors, std::string_view path, const json::Object& labels) {
  for (const auto& label : labels) {
    if (const auto wrong = check_qualified_name(label.key())) {
      errors.push_back(invalid(std::string(path), json::Value(std::string(label.key())), *wrong));
    }
    if (const auto wrong = check_label_value(json::string_at(label.value(), {}))) {
      errors.push_back(invalid(std::string(path), label.value(), *wrong));
    }
  }
}

void check_name(FieldErrors& errors, std::string path, std::string_view name,
                Complaint (*check)(std::string_view)) {
  if (const auto wrong = check(name)) {
    errors.push_back(invalid(std::move(path), json::Value(std::string(name)), *wrong));
  }
}

void check_immutable(FieldErrors& errors, std::string path, const json::Value* value,
                     const json::Value* before) {
  if (is_same(value, before)) return;
  errors.push_back(invalid(std::move(path), value != nullptr ? *value : json::Value(nullptr),
                           std::string(immutable)));
}

void check_meta(FieldErrors& errors, const ValidationRequest& request) {
  const json::Value& object = *request.object;
  check_names(errors, *request.kind, object);
  check_labels(errors, "metadata.labels", json::object_at(object, {"metadata", "labels"}));
  check_annotations(errors, json::object_at(object, {"metadata", "annotations"}));
  check_owners(errors, json::array_at(object, {"metadata", "ownerReferences"}));
  check_finalizers(errors, object, request.before);
  if (request.before == nullptr) return;
  for (const std::string_view member : {"name", "namespace", "uid", "creationTimestamp",
                                        "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    check_immutable(errors, at("metadata", member), json::find(object, {"metadata", member}),
                    json::find(*request.before, {"metadata", member}));
  }
}

}  // namespace rules

namespace {

// General rules speak only where no rule of the kind has said something about the same field.
void add_unsaid(FieldErrors& errors, FieldErrors general) {
  std::unordered_set<std::string> said;
  for (const FieldError& error : errors) said.insert(error.field);
  for (FieldError& error : general) {
    if (!said.contains(error.field)) errors.push_back(std::move(error));
  }
}

}  // namespace

FieldErrors validate_metadata(const ValidationRequest& request) {
  FieldErrors errors;
  rules::check_meta(errors, request);
  return errors;
}

FieldErrors validate_object(const ValidationRequest& request) {
  FieldErrors errors = validate_metadata(request);
  if (!request.subresource.empty()) return errors;
  for (const rules::KindRule rule :
       {rules::workload_rule(*request.kind), rules::core_rule(*request.kind),
        rules::policy_rule(*request.kind)}) {
    if (rule != nullptr) rule(errors, request);
  }
  if (request.kind->type != nullptr) {
    FieldErrors general;
    rules::check_schema(general, *request.object, *request.kind->type);
    add_unsaid(errors, std::move(general));
  }
  return errors;
}

}  // namespace koi::api
