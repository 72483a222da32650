#include <array>
#include <span>

#include "api/selectors.h"

namespace koi::api {

namespace {

constexpr std::size_t selector_bytes_max = 64 * 1024;

// A field that a kind lets its lists be selected by. `path` and `fallback` are dotted; empty means
// the same as `field`, or no fallback.
struct Selectable {
  std::string_view kind;
  std::string_view field;
  std::string_view zero{};
  std::string_view path{};
  std::string_view fallback{};
};

constexpr std::array core_fields = {
    Selectable{"Pod", "spec.nodeName"},
    Selectable{"Pod", "spec.host", "", "spec.nodeName"},
    Selectable{"Pod", "spec.restartPolicy"},
    Selectable{"Pod", "spec.schedulerName"},
    Selectable{"Pod", "spec.serviceAccountName"},
    Selectable{"Pod", "spec.hostNetwork", "false"},
    Selectable{"Pod", "status.phase"},
    Selectable{"Pod", "status.podIP"},
    Selectable{"Pod", "status.podIPs", "", "status.podIP"},
    Selectable{"Pod", "status.nominatedNodeName"},
    Selectable{"Event", "involvedObject.kind"},
    Selectable{"Event", "involvedObject.namespace"},
    Selectable{"Event", "involvedObject.name"},
    Selectable{"Event", "involvedObject.uid"},
    Selectable{"Event", "involvedObject.apiVersion"},
    Selectable{"Event", "involvedObject.resourceVersion"},
    Selectable{"Event", "involvedObject.fieldPath"},
    Selectable{"Event", "reason"},
    Selectable{"Event", "reportingComponent"},
    Selectable{"Event", "source", "", "source.component", "reportingComponent"},
    Selectable{"Event", "type"},
    Selectable{"Secret", "type"},
    Selectable{"Node", "spec.unschedulable", "false"},
    Selectable{"Namespace", "status.phase"},
    Selectable{"Namespace", "name", "", "metadata.name"},
    Selectable{"ReplicationController", "status.replicas", "0"},
};
constexpr std::array apps_fields = {Selectable{"ReplicaSet", "status.replicas", "0"}};
constexpr std::array batch_fields = {
    Selectable{"Job", "status.successful", "0", "status.succeeded"}};
constexpr std::array certificates_fields = {
    Selectable{"CertificateSigningRequest", "spec.signerName"}};
constexpr std::array resource_fields = {Selectable{"ResourceSlice", "spec.nodeName"},
                                        Selectable{"ResourceSlice", "spec.driver"}};
// Events of the new group are stored in the old form, and may be handed over in either.
constexpr std::array events_fields = {
    Selectable{"Event", "regarding.kind", "", "", "involvedObject.kind"},
    Selectable{"Event", "regarding.namespace", "", "", "involvedObject.namespace"},
    Selectable{"Event", "regarding.name", "", "", "involvedObject.name"},
    Selectable{"Event", "regarding.uid", "", "", "involvedObject.uid"},
    Selectable{"Event", "regarding.apiVersion", "", "", "involvedObject.apiVersion"},
    Selectable{"Event", "regarding.resourceVersion", "", "", "involvedObject.resourceVersion"},
    Selectable{"Event", "regarding.fieldPath", "", "", "involvedObject.fieldPath"},
    Selectable{"Event", "reportingController", "", "", "reportingComponent"},
    Selectable{"Event", "reason"},
    Selectable{"Event", "type"},
};

std::span<const Selectable> fields_of(std::string_view group) {
  if (group.empty()) return core_fields;
  if (group == "apps") return apps_fields;
  if (group == "batch") return batch_fields;
  if (group == "certificates.k8s.io") return certificates_fields;
  if (group == "events.k8s.io") return events_fields;
  if (group == "resource.k8s.io") return resource_fields;
  return {};
}

std::vector<std::string> steps(std::string_view path) {
  std::vector<std::string> result;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t dot = std::min(path.find('.', start), path.size());
    result.emplace_back(path.substr(start, dot - start));
    start = dot + 1;
  }
  return result;
}

const json::Value* value_at(const json::Value& object, const std::vector<std::string>& path) {
  const json::Value* at = &object;
  for (const std::string& step : path) {
    const auto* members = at->if_object();
    at = members != nullptr ? members->if_contains(step) : nullptr;
    if (at == nullptr) return nullptr;
  }
  return at->is_null() ? nullptr : at;
}

// Splits at commas that no backslash precedes.
base::Result<std::vector<std::string_view>> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  std::size_t start = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at + 1 < text.size() && text[at] == '\\') {
      ++at;
    } else if (at >= text.size() || text[at] == ',') {
      if (at > start) terms.push_back(text.substr(start, std::min(at, text.size()) - start));
      start = at + 1;
    }
  }
  return terms;
}

base::Result<std::string> unescape(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      if (text[at] == '=' || text[at] == ',') {
        return base::fail(base::Code::invalid,
                          "invalid field selector: unescaped character in "
                          "value: " +
                              std::string(1, text[at]));
      }
      result += text[at];
      continue;
    }
    const char next = ++at < text.size() ? text[at] : '\0';
    if (next != '\\' && next != ',' && next != '=') {
      return base::fail(base::Code::invalid,
                        "invalid field selector: invalid escape sequence: \\" +
                            (next == '\0' ? std::string() : std::string(1, next)));
    }
    result += next;
  }
  return result;
}

const Selectable* find_selectable(std::string_view field, const FieldScope& scope) {
  for (const Selectable& candidate : fields_of(scope.group)) {
    if (candidate.kind == scope.kind && candidate.field == field) return &candidate;
  }
  return nullptr;
}

}  // namespace

base::Result<FieldSelector> FieldSelector::parse(std::string_view text, const FieldScope& scope) {
  if (text.size() > selector_bytes_max) {
    return base::fail(base::Code::too_large, "field selector is longer than " +
                                                 std::to_string(selector_bytes_max) + " bytes");
  }
  const auto terms = split_terms(text);
  if (!terms) return base::fail(terms.error());
  FieldSelector selector;
  for (const std::string_view written : *terms) {
    const std::size_t equals = written.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return base::fail(base::Code::invalid, "invalid selector: '" + std::string(text) +
                                                 "'; can't understand '" + std::string(written) +
                                                 "'");
    }
    Term term;
    term.is_equal = written[equals - 1] != '!';
    term.field = written.substr(0, term.is_equal ? equals : equals - 1);
    const bool is_double = term.is_equal && written.substr(equals).starts_with("==");
    auto value = unescape(written.substr(equals + (is_double ? 2 : 1)));
    if (!value) return base::fail(value.error());
    term.value = std::move(*value);
    const bool is_metadata = term.field == "metadata.name" || term.field == "metadata.namespace";
    const bool is_declared =
        std::ranges::find(scope.selectable, term.field) != scope.selectable.end();
    if (is_metadata || is_declared) {
      term.paths.push_back(steps(term.field));
    } else if (const Selectable* field = find_selectable(term.field, scope)) {
      term.paths.push_back(steps(field->path.empty() ? field->field : field->path));
      if (!field->fallback.empty()) term.paths.push_back(steps(field->fallback));
      term.zero = field->zero;
    } else {
      return base::fail(base::Code::invalid, "field label not supported: " + term.field);
    }
    selector.terms_.push_back(std::move(term));
  }
  return selector;
}

bool FieldSelector::matches(const json::Value& object) const {
  for (const Term& term : terms_) {
    const json::Value* found = nullptr;
    for (const auto& path : term.paths) {
      if (found == nullptr) found = value_at(object, path);
    }
    bool is_same = false;
    if (found == nullptr) {
      is_same = term.value == term.zero;
    } else if (const auto* string = found->if_string()) {
      is_same = std::string_view(string->data(), string->size()) == term.value;
    } else {
      is_same = json::serialize(*found) == term.value;
    }
    if (is_same != term.is_equal) return false;
  }
  return true;
}

std::optional<std::string_view> FieldSelector::required_value(std::string_view field) const {
  for (const Term& term : terms_) {
    if (term.is_equal && term.field == field) return term.value;
  }
  return std::nullopt;
}

}  // namespace koi::api
