#include <algorithm>
#include <array>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

constexpr std::array binding_columns = {
    name_column,
    Column{"Role", "The role that is granted."},
    age_column,
    Column{"Users", "Users it is granted to.", "string", "", 1},
    Column{"Groups", "Groups it is granted to.", "string", "", 1},
    Column{"ServiceAccounts", "Service accounts it is granted to.", "string", "", 1},
};

void print_binding(Row& row) {
  const json::Value& binding = row.object();
  std::vector<std::string> users;
  std::vector<std::string> groups;
  std::vector<std::string> accounts;
  for (const json::Value& subject : json::array_at(binding, {"subjects"})) {
    const std::string_view kind = json::string_at(subject, {"kind"});
    std::string name(json::string_at(subject, {"name"}));
    if (kind == "User") {
      users.push_back(std::move(name));
    } else if (kind == "Group") {
      groups.push_back(std::move(name));
    } else if (kind == "ServiceAccount") {
      accounts.push_back(std::string(json::string_at(subject, {"namespace"})) + "/" + name);
    }
  }
  row.name();
  row.text(std::string(json::string_at(binding, {"roleRef", "kind"})) + "/" +
           std::string(json::string_at(binding, {"roleRef", "name"})));
  row.age();
  row.text(join(users, ", "));
  row.text(join(groups, ", "));
  row.text(join(accounts, ", "));
}

constexpr std::array signing_request_columns = {
    name_column,
    age_column,
    Column{"SignerName", "Who is to sign."},
    Column{"Requestor", "Who asks."},
    Column{"RequestedDuration", "How long the certificate is to be good for."},
    Column{"Condition", "What has become of the request."},
};

std::string signing_state(const json::Value& request) {
  std::string state;
  bool is_approved = false;
  bool is_denied = false;
  bool has_failed = false;
  for (const json::Value& condition : json::array_at(request, {"status", "conditions"})) {
    const std::string_view type = json::string_at(condition, {"type"});
    is_approved = is_approved || type == "Approved";
    is_denied = is_denied || type == "Denied";
    has_failed = has_failed || type == "Failed";
  }
  state = is_denied ? "Denied" : is_approved ? "Approved" : "Pending";
  if (has_failed) state += ",Failed";
  if (!json::string_at(request, {"status", "certificate"}).empty()) state += ",Issued";
  return state;
}

void print_signing_request(Row& row) {
  const json::Value& request = row.object();
  const auto seconds = json::int_at(request, {"spec", "expirationSeconds"});
  row.name();
  row.age();
  row.text_at({"spec", "signerName"}, "<none>");
  row.text_at({"spec", "username"});
  row.text(seconds ? human_duration(std::chrono::seconds(*seconds)) : "<none>");
  row.text(signing_state(request));
}

constexpr std::array webhook_columns = {
    name_column, Column{"Webhooks", "How many webhooks it lists.", "integer"}, age_column};

void print_webhooks(Row& row) {
  row.name();
  row.number(static_cast<std::int64_t>(json::array_at(row.object(), {"webhooks"}).size()));
  row.age();
}

constexpr std::array validating_policy_columns = {
    name_column, Column{"Validations", "How many rules it has.", "integer"},
    Column{"ParamKind", "The kind of its parameters."}, age_column};
constexpr std::array mutating_policy_columns = {
    name_column, Column{"Mutations", "How many rules it has.", "integer"},
    Column{"ParamKind", "The kind of its parameters."}, age_column};

void print_admission_policy(Row& row, std::string_view rules) {
  const json::Value& policy = row.object();
  std::string kind = "<unset>";
  if (json::find(policy, {"spec", "paramKind"}) != nullptr) {
    kind = json::string_at(policy, {"spec", "paramKind", "apiVersion"});
    kind.append("/").append(json::string_at(policy, {"spec", "paramKind", "kind"}));
  }
  row.name();
  row.number(static_cast<std::int64_t>(json::array_at(policy, {"spec", rules}).size()));
  row.text(kind);
  row.age();
}

void print_validating_policy(Row& row) { print_admission_policy(row, "validations"); }
void print_mutating_policy(Row& row) { print_admission_policy(row, "mutations"); }

constexpr std::array policy_binding_columns = {
    name_column, Column{"PolicyName", "The policy it puts to work."},
    Column{"ParamRef", "The object with the parameters."}, age_column};

void print_policy_binding(Row& row) {
  const json::Value& binding = row.object();
  std::string reference = "<unset>";
  if (const json::Value* parameters = json::find(binding, {"spec", "paramRef"})) {
    const std::string_view name = json::string_at(*parameters, {"name"});
    const std::string_view name_space = json::string_at(*parameters, {"namespace"});
    if (name.empty()) {
      reference = format_selector(json::find(*parameters, {"selector"}));
    } else {
      reference = name_space.empty() ? "*" : std::string(name_space);
      reference.append("/").append(name);
    }
  }
  row.name();
  row.text_at({"spec", "policyName"});
  row.text(reference);
  row.age();
}

constexpr std::array flow_schema_columns = {
    name_column,
    Column{"PriorityLevel", "The level its requests go to."},
    Column{"MatchingPrecedence", "Lower is tried first.", "integer", "int32"},
    Column{"DistinguisherMethod", "What tells its flows apart."},
    age_column,
    Column{"MissingPL", "Whether that level does not exist."},
};

void print_flow_schema(Row& row) {
  std::string_view missing = "?";
  for (const json::Value& condition : json::array_at(row.object(), {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "Dangling") {
      missing = json::string_at(condition, {"status"});
    }
  }
  row.name();
  row.text_at({"spec", "priorityLevelConfiguration", "name"});
  row.number_at({"spec", "matchingPrecedence"});
  row.text_at({"spec", "distinguisherMethod", "type"}, "<none>");
  row.age();
  row.text(missing);
}

constexpr std::array priority_level_columns = {
    name_column,
    Column{"Type", "Whether it is limited."},
    Column{"NominalConcurrencyShares", "Its share of the requests served at once."},
    Column{"Queues", "How many queues it has."},
    Column{"HandSize", "How many queues one flow may use."},
    Column{"QueueLengthLimit", "How many requests may wait in one."},
    age_column,
};

void print_priority_level(Row& row) {
  const json::Value& level = row.object();
  const auto or_none = [&row](const json::Value* value) {
    const std::string text = scalar_text(value);
    row.text(text.empty() ? "<none>" : text);
  };
  row.name();
  row.text_at({"spec", "type"});
  or_none(json::find(level, {"spec", "limited", "nominalConcurrencyShares"}));
  for (const std::string_view member : {"queues", "handSize", "queueLengthLimit"}) {
    or_none(json::find(level, {"spec", "limited", "limitResponse", "queuing", member}));
  }
  row.age();
}

constexpr std::array api_service_columns = {name_column,
                                            Column{"Service", "The service behind it."},
                                            Column{"Available", "Whether it answers."}, age_column};

void print_api_service(Row& row) {
  const json::Value& object = row.object();
  std::string service = "Local";
  if (json::find(object, {"spec", "service"}) != nullptr) {
    service = json::string_at(object, {"spec", "service", "namespace"});
    service.append("/").append(json::string_at(object, {"spec", "service", "name"}));
  }
  std::string available = "Unknown";
  for (const json::Value& condition : json::array_at(object, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) != "Available") continue;
    available = json::string_at(condition, {"status"});
    if (available != "True") {
      available.append(" (").append(json::string_at(condition, {"reason"})).append(")");
    }
  }
  row.name();
  row.text(service);
  row.text(available);
  row.age();
}

constexpr std::array resource_claim_columns = {
    name_column, Column{"State", "What has become of the claim."}, age_column};

void print_resource_claim(Row& row) {
  const json::Value& claim = row.object();
  std::vector<std::string> states;
  if (json::find(claim, {"metadata", "deletionTimestamp"}) != nullptr) states.push_back("deleted");
  if (json::find(claim, {"status", "allocation"}) == nullptr) {
    if (states.empty()) states.push_back("pending");
  } else {
    states.push_back("allocated");
    if (!json::array_at(claim, {"status", "reservedFor"}).empty()) states.push_back("reserved");
  }
  row.name();
  row.text(join(states, ","));
  row.age();
}

constexpr std::array aged_columns = {name_column, age_column};

void print_aged(Row& row) {
  row.name();
  row.age();
}

constexpr std::array resource_slice_columns = {
    name_column, Column{"Node", "The node its devices are on."},
    Column{"Driver", "The driver of the devices."}, Column{"Pool", "The pool they belong to."},
    age_column};

void print_resource_slice(Row& row) {
  const bool is_everywhere = json::bool_at(row.object(), {"spec", "allNodes"});
  row.name();
  row.text_at({"spec", "nodeName"}, is_everywhere ? "<all>" : "<unset>");
  row.text_at({"spec", "driver"});
  row.text_at({"spec", "pool", "name"});
  row.age();
}

constexpr std::string_view rbac = "rbac.authorization.k8s.io";
constexpr std::string_view admission = "admissionregistration.k8s.io";
constexpr std::string_view flow_control = "flowcontrol.apiserver.k8s.io";
constexpr std::string_view resource = "resource.k8s.io";
constexpr std::array kind_tables = {
    KindTable{rbac, "RoleBinding", binding_columns, print_binding},
    KindTable{rbac, "ClusterRoleBinding", binding_columns, print_binding},
    KindTable{"certificates.k8s.io", "CertificateSigningRequest", signing_request_columns,
              print_signing_request},
    KindTable{admission, "MutatingWebhookConfiguration", webhook_columns, print_webhooks},
    KindTable{admission, "ValidatingWebhookConfiguration", webhook_columns, print_webhooks},
    KindTable{admission, "ValidatingAdmissionPolicy", validating_policy_columns,
              print_validating_policy},
    KindTable{admission, "MutatingAdmissionPolicy", mutating_policy_columns, print_mutating_policy},
    KindTable{admission, "ValidatingAdmissionPolicyBinding", policy_binding_columns,
              print_policy_binding},
    KindTable{admission, "MutatingAdmissionPolicyBinding", policy_binding_columns,
              print_policy_binding},
    KindTable{flow_control, "FlowSchema", flow_schema_columns, print_flow_schema},
    KindTable{flow_control, "PriorityLevelConfiguration", priority_level_columns,
              print_priority_level},
    KindTable{"apiregistration.k8s.io", "APIService", api_service_columns, print_api_service},
    KindTable{resource, "ResourceClaim", resource_claim_columns, print_resource_claim},
    KindTable{resource, "ResourceClaimTemplate", aged_columns, print_aged},
    KindTable{resource, "DeviceClass", aged_columns, print_aged},
    KindTable{resource, "ResourceSlice", resource_slice_columns, print_resource_slice},
};

}  // namespace

std::span<const KindTable> policy_tables() { return kind_tables; }

}  // namespace koi::api::tables
