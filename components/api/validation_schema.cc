#include <algorithm>
#include <array>
#include <span>

#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

using Choices = std::span<const std::string_view>;

constexpr std::array pull_policies = {std::string_view("Always"), std::string_view("IfNotPresent"),
                                      std::string_view("Never")};
constexpr std::array restart_policies = {std::string_view("Always"), std::string_view("Never"),
                                         std::string_view("OnFailure")};
constexpr std::array dns_policies = {std::string_view("ClusterFirst"),
                                     std::string_view("ClusterFirstWithHostNet"),
                                     std::string_view("Default"), std::string_view("None")};
constexpr std::array protocols = {std::string_view("SCTP"), std::string_view("TCP"),
                                  std::string_view("UDP")};
constexpr std::array schemes = {std::string_view("HTTP"), std::string_view("HTTPS")};
constexpr std::array message_policies = {std::string_view("FallbackToLogsOnError"),
                                         std::string_view("File")};
constexpr std::array taint_effects = {std::string_view("NoExecute"), std::string_view("NoSchedule"),
                                      std::string_view("PreferNoSchedule")};
constexpr std::array toleration_operators = {std::string_view("Equal"), std::string_view("Exists"),
                                             std::string_view("Gt"), std::string_view("Lt")};
constexpr std::array seccomp_types = {std::string_view("Localhost"),
                                      std::string_view("RuntimeDefault"),
                                      std::string_view("Unconfined")};
constexpr std::array node_operators = {std::string_view("DoesNotExist"), std::string_view("Exists"),
                                       std::string_view("Gt"),           std::string_view("In"),
                                       std::string_view("Lt"),           std::string_view("NotIn")};
constexpr std::array label_operators = {std::string_view("DoesNotExist"),
                                        std::string_view("Exists"), std::string_view("In"),
                                        std::string_view("NotIn")};
constexpr std::array unsatisfiable = {std::string_view("DoNotSchedule"),
                                      std::string_view("ScheduleAnyway")};
constexpr std::array preemption = {std::string_view("Never"),
                                   std::string_view("PreemptLowerPriority")};
constexpr std::array volume_modes = {std::string_view("Block"), std::string_view("Filesystem")};
constexpr std::array access_modes = {
    std::string_view("ReadOnlyMany"), std::string_view("ReadWriteMany"),
    std::string_view("ReadWriteOnce"), std::string_view("ReadWriteOncePod")};
constexpr std::array reclaim_policies = {std::string_view("Delete"), std::string_view("Recycle"),
                                         std::string_view("Retain")};
constexpr std::array binding_modes = {std::string_view("Immediate"),
                                      std::string_view("WaitForFirstConsumer")};
constexpr std::array service_types = {
    std::string_view("ClusterIP"), std::string_view("ExternalName"),
    std::string_view("LoadBalancer"), std::string_view("NodePort")};
constexpr std::array affinities = {std::string_view("ClientIP"), std::string_view("None")};
constexpr std::array traffic_policies = {std::string_view("Cluster"), std::string_view("Local")};
constexpr std::array family_policies = {std::string_view("PreferDualStack"),
                                        std::string_view("RequireDualStack"),
                                        std::string_view("SingleStack")};
constexpr std::array deployment_strategies = {std::string_view("Recreate"),
                                              std::string_view("RollingUpdate")};
constexpr std::array set_strategies = {std::string_view("OnDelete"),
                                       std::string_view("RollingUpdate")};
constexpr std::array pod_management = {std::string_view("OrderedReady"),
                                       std::string_view("Parallel")};
constexpr std::array completion_modes = {std::string_view("Indexed"),
                                         std::string_view("NonIndexed")};
constexpr std::array concurrency = {std::string_view("Allow"), std::string_view("Forbid"),
                                    std::string_view("Replace")};
constexpr std::array path_types = {std::string_view("Exact"),
                                   std::string_view("ImplementationSpecific"),
                                   std::string_view("Prefix")};
constexpr std::array policy_types = {std::string_view("Egress"), std::string_view("Ingress")};
constexpr std::array address_types = {std::string_view("FQDN"), std::string_view("IPv4"),
                                      std::string_view("IPv6")};
constexpr std::array failure_policies = {std::string_view("Fail"), std::string_view("Ignore")};
constexpr std::array match_policies = {std::string_view("Equivalent"), std::string_view("Exact")};
constexpr std::array crd_scopes = {std::string_view("Cluster"), std::string_view("Namespaced")};
constexpr std::array host_path_types = {std::string_view(""),
                                        std::string_view("BlockDevice"),
                                        std::string_view("CharDevice"),
                                        std::string_view("Directory"),
                                        std::string_view("DirectoryOrCreate"),
                                        std::string_view("File"),
                                        std::string_view("FileOrCreate"),
                                        std::string_view("Socket")};
constexpr std::array eviction_policies = {std::string_view("AlwaysAllow"),
                                          std::string_view("IfHealthyBudget")};
constexpr std::array group_policies = {std::string_view("Always"),
                                       std::string_view("OnRootMismatch")};

// Strings out of a closed set, by the short name of the type that has the field.
struct Enumeration {
  std::string_view type;
  std::string_view field;
  Choices choices;
};

constexpr std::array enumerations = {
    Enumeration{"Container", "imagePullPolicy", pull_policies},
    Enumeration{"Container", "terminationMessagePolicy", message_policies},
    Enumeration{"EphemeralContainer", "imagePullPolicy", pull_policies},
    Enumeration{"EphemeralContainer", "terminationMessagePolicy", message_policies},
    Enumeration{"ContainerPort", "protocol", protocols},
    Enumeration{"CronJobSpec", "concurrencyPolicy", concurrency},
    Enumeration{"CustomResourceDefinitionSpec", "scope", crd_scopes},
    Enumeration{"DaemonSetUpdateStrategy", "type", set_strategies},
    Enumeration{"DeploymentStrategy", "type", deployment_strategies},
    Enumeration{"EndpointPort", "protocol", protocols},
    Enumeration{"EndpointSlice", "addressType", address_types},
    Enumeration{"HTTPGetAction", "scheme", schemes},
    Enumeration{"HTTPIngressPath", "pathType", path_types},
    Enumeration{"HostPathVolumeSource", "type", host_path_types},
    Enumeration{"JobSpec", "completionMode", completion_modes},
    Enumeration{"LabelSelectorRequirement", "operator", label_operators},
    Enumeration{"MutatingWebhook", "failurePolicy", failure_policies},
    Enumeration{"MutatingWebhook", "matchPolicy", match_policies},
    Enumeration{"NetworkPolicyPort", "protocol", protocols},
    Enumeration{"NetworkPolicySpec", "policyTypes", policy_types},
    Enumeration{"NodeSelectorRequirement", "operator", node_operators},
    Enumeration{"PersistentVolumeClaimSpec", "accessModes", access_modes},
    Enumeration{"PersistentVolumeClaimSpec", "volumeMode", volume_modes},
    Enumeration{"PersistentVolumeSpec", "accessModes", access_modes},
    Enumeration{"PersistentVolumeSpec", "persistentVolumeReclaimPolicy", reclaim_policies},
    Enumeration{"PersistentVolumeSpec", "volumeMode", volume_modes},
    Enumeration{"PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy", eviction_policies},
    Enumeration{"PodSecurityContext", "fsGroupChangePolicy", group_policies},
    Enumeration{"PodSpec", "dnsPolicy", dns_policies},
    Enumeration{"PodSpec", "preemptionPolicy", preemption},
    Enumeration{"PodSpec", "restartPolicy", restart_policies},
    Enumeration{"PriorityClass", "preemptionPolicy", preemption},
    Enumeration{"SeccompProfile", "type", seccomp_types},
    Enumeration{"ServicePort", "protocol", protocols},
    Enumeration{"ServiceSpec", "externalTrafficPolicy", traffic_policies},
    Enumeration{"ServiceSpec", "internalTrafficPolicy", traffic_policies},
    Enumeration{"ServiceSpec", "ipFamilyPolicy", family_policies},
    Enumeration{"ServiceSpec", "sessionAffinity", affinities},
    Enumeration{"ServiceSpec", "type", service_types},
    Enumeration{"StatefulSetSpec", "podManagementPolicy", pod_management},
    Enumeration{"StatefulSetUpdateStrategy", "type", set_strategies},
    Enumeration{"StorageClass", "reclaimPolicy", reclaim_policies},
    Enumeration{"StorageClass", "volumeBindingMode", binding_modes},
    Enumeration{"Taint", "effect", taint_effects},
    Enumeration{"Toleration", "effect", taint_effects},
    Enumeration{"Toleration", "operator", toleration_operators},
    Enumeration{"TopologySpreadConstraint", "whenUnsatisfiable", unsatisfiable},
    Enumeration{"ValidatingWebhook", "failurePolicy", failure_policies},
    Enumeration{"ValidatingWebhook", "matchPolicy", match_policies},
};

// Fields that the description calls required though upstream takes them empty.
struct Exception {
  std::string_view type;
  std::string_view field;
};
constexpr std::array may_be_empty = {
    Exception{"StatefulSetSpec", "serviceName"},
    Exception{"RoleRef", "apiGroup"},
    Exception{"TokenRequest", "audience"},
    Exception{"EnvVar", "value"},
    Exception{"HTTPHeader", "value"},
    Exception{"Sysctl", "value"},
};

std::string_view short_name(const Type& type) { return type.name.substr(type.name.rfind('.') + 1); }

// Where the walk is, as a chain of frames: spelled out only when something is wrong.
struct Frame {
  const Frame* parent = nullptr;
  std::string_view member{};
  std::string_view key{};
  std::size_t index = 0;
  enum class Kind { root, member, index, key } kind = Kind::root;

  std::string str() const {
    std::string path = parent != nullptr ? parent->str() : std::string();
    if (kind == Kind::member) return at(path, member);
    if (kind == Kind::index) return at(path, index);
    if (kind == Kind::key) return at_key(path, key);
    return path;
  }
};

class Walk {
 public:
  explicit Walk(FieldErrors& errors) : errors_(errors) {}

  void object(const json::Object& members, const Type& type, const Frame& frame, bool is_root) {
    for (const Field& field : type.fields) {
      // Metadata has rules of its own; what the status says is the business of who writes it.
      if (is_root && (field.name == "metadata" || field.name == "status" ||
                      field.name == "apiVersion" || field.name == "kind")) {
        continue;
      }
      const json::Value* value = members.if_contains(field.name);
      const Frame next{&frame, field.name, {}, 0, Frame::Kind::member};
      check_field(type, field, value, next);
      if (value != nullptr) walk(*value, *field.shape, next);
    }
  }

 private:
  void check_field(const Type& type, const Field& field, const json::Value* value,
                   const Frame& frame) {
    const bool is_text =
        field.shape->kind == ShapeKind::string || field.shape->kind == ShapeKind::bytes;
    const bool has_text = value != nullptr && value->is_string() && !value->get_string().empty();
    if (field.required && is_text && !has_text && !is_exempt(type, field)) {
      errors_.push_back(required(frame.str()));
      return;
    }
    if (value == nullptr || !(value->is_string() || value->is_array())) return;
    Choices choices = field.rules->enum_values;
    if (choices.empty()) choices = choices_of(type, field);
    if (choices.empty()) return;
    if (value->is_string()) {
      check_choice(choices, *value, frame);
    } else if (const auto* list = value->if_array()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        check_choice(choices, (*list)[i], {&frame, {}, {}, i, Frame::Kind::index});
      }
    }
  }

  void check_choice(Choices choices, const json::Value& value, const Frame& frame) {
    const std::string_view text = json::string_at(value, {});
    if (text.empty() || std::ranges::find(choices, text) != choices.end()) return;
    errors_.push_back(not_supported(frame.str(), value,
                                    std::vector<std::string_view>(choices.begin(), choices.end())));
  }

  static bool is_exempt(const Type& type, const Field& field) {
    return std::ranges::any_of(may_be_empty, [&](const Exception& exception) {
      return exception.field == field.name && exception.type == short_name(type);
    });
  }

  static Choices choices_of(const Type& type, const Field& field) {
    for (const Enumeration& one : enumerations) {
      if (one.field == field.name && one.type == short_name(type)) return one.choices;
    }
    return {};
  }

  void walk(const json::Value& value, const Shape& shape, const Frame& frame) {
    if (shape.kind == ShapeKind::object) {
      if (value.is_object() && shape.type != nullptr) {
        object(value.get_object(), *shape.type, frame, false);
      }
    } else if (shape.kind == ShapeKind::array && shape.element != nullptr) {
      if (shape.element->is_scalar() || !value.is_array()) return;
      const json::Array& list = value.get_array();
      for (std::size_t i = 0; i < list.size(); ++i) {
        walk(list[i], *shape.element, {&frame, {}, {}, i, Frame::Kind::index});
      }
    } else if (shape.kind == ShapeKind::map && shape.element != nullptr) {
      if (shape.element->is_scalar() || !value.is_object()) return;
      for (const auto& member : value.get_object()) {
        walk(member.value(), *shape.element, {&frame, {}, member.key(), 0, Frame::Kind::key});
      }
    }
  }

  FieldErrors& errors_;
};

}  // namespace

void check_schema(FieldErrors& errors, const json::Value& object, const Type& type) {
  if (!object.is_object()) return;
  Walk(errors).object(object.get_object(), type, Frame{}, true);
}

}  // namespace koi::api::rules
