#include "api/validation.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "api/schema.h"

namespace koi::api {

namespace {

// All that is wrong, one line each.
std::string verdict(std::string_view api_version, std::string_view kind, std::string_view object,
                    std::string_view before = "", std::string_view subresource = "") {
  const Kind* found = builtin_schema().find(api_version, kind);
  REQUIRE(found != nullptr);
  const auto parsed = json::parse(object);
  REQUIRE(parsed);
  std::optional<json::Value> old;
  if (!before.empty()) old = *json::parse(before);
  std::string text;
  for (const FieldError& error : validate_object({.kind = found,
                                                  .object = &*parsed,
                                                  .before = old ? &*old : nullptr,
                                                  .subresource = subresource})) {
    text.append(text.empty() ? "" : "\n").append(error.message());
  }
  return text;
}

std::string with_meta(std::string_view rest, std::string_view name = "x") {
  return R"({"metadata":{"name":")" + std::string(name) + R"(","namespace":"default"},)" +
         std::string(rest) + "}";
}

std::string pod(std::string_view spec) { return with_meta(R"("spec":)" + std::string(spec)); }

std::string pod_verdict(std::string_view spec) { return verdict("v1", "Pod", pod(spec)); }

// The verdict on a pod with one container that has these further members.
std::string container_verdict(std::string_view members, std::string_view spec = "") {
  return pod_verdict(R"({"containers":[{"name":"a","image":"i",)" + std::string(members) + "}]" +
                     std::string(spec) + "}");
}

constexpr std::string_view good_template =
    R"({"metadata":{"labels":{"app":"w"}},"spec":{"containers":[{"name":"a","image":"i"}]}})";

std::string deployment(std::string_view selector, std::string_view more = "") {
  return with_meta(R"("spec":{"selector":)" + std::string(selector) + R"(,"template":)" +
                   std::string(good_template) + std::string(more) + "}");
}

}  // namespace

TEST_CASE("names and namespaces") {
  CHECK(verdict("v1", "ConfigMap", with_meta(R"("data":{})")) == "");
  CHECK(verdict("v1", "ConfigMap", R"({"metadata":{"namespace":"d"}})") ==
        "metadata.name: Required value: name or generateName is required");
  CHECK(verdict("v1", "ConfigMap", R"({"metadata":{"name":"x"}})") ==
        "metadata.namespace: Required value");
  CHECK(verdict("v1", "Namespace", R"({"metadata":{"name":"x","namespace":"y"}})") ==
        "metadata.namespace: Forbidden: not allowed on this type");
  CHECK(verdict("v1", "ConfigMap", with_meta(R"("data":{})", "X_y"))
            .starts_with(R"(metadata.name: Invalid value: "X_y": a lowercase RFC 1123 subdomain)"));
  CHECK(verdict("v1", "Service", with_meta(R"("spec":{"clusterIP":"None"})", "1a"))
            .starts_with(R"(metadata.name: Invalid value: "1a": a DNS-1035 label must consist)"));
  CHECK(verdict("v1", "Namespace", R"({"metadata":{"name":"a.b"}})") ==
        R"(metadata.name: Invalid value: "a.b": must not contain dots)");
  CHECK(verdict("rbac.authorization.k8s.io/v1", "ClusterRole",
                R"({"metadata":{"name":"system:x"}})") == "");
  CHECK(verdict("v1", "ConfigMap", R"({"metadata":{"generateName":"x-","namespace":"d"}})") == "");
  CHECK(verdict("v1", "ConfigMap", R"({"metadata":{"generateName":"X-","namespace":"d"}})")
            .starts_with("metadata.generateName: Invalid value"));
}

TEST_CASE("labels, annotations, owners and finalizers") {
  const auto meta = [](std::string_view more, std::string_view before = "") {
    return verdict("v1", "ConfigMap",
                   R"({"metadata":{"name":"x","namespace":"d",)" + std::string(more) + "}}",
                   before);
  };
  CHECK(meta(R"("labels":{"a":"b c"})")
            .starts_with(R"(metadata.labels: Invalid value: "b c": a valid label must be)"));
  CHECK(meta(R"("labels":{"-a":"b"})")
            .starts_with(R"(metadata.labels: Invalid value: "-a": name part must consist)"));
  CHECK(meta(R"("annotations":{"A/B":"anything goes"})") == "");
  CHECK(meta(R"("annotations":{"a b":"x"})")
            .starts_with(R"(metadata.annotations: Invalid value: "a b": name part)"));
  CHECK(meta(R"("annotations":{"a":")" + std::string(262144, 'x') + R"("})") ==
        "metadata.annotations: Too long: may not be more than 262144 bytes");
  CHECK(meta(R"("ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p"}])") ==
        R"(metadata.ownerReferences[0].uid: Invalid value: "": must not be empty)");
  CHECK(meta(R"("finalizers":["a b"])").starts_with("metadata.finalizers: Invalid value"));
  CHECK(meta(R"("finalizers":["a/b"],"deletionTimestamp":"2026-01-01T00:00:00Z")",
             R"({"metadata":{"name":"x","namespace":"d",)"
             R"("deletionTimestamp":"2026-01-01T00:00:00Z"}})") ==
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
        "deleted, found new finalizers []string{\"a/b\"}");
  CHECK(meta(R"("uid":"2")", R"({"metadata":{"name":"x","namespace":"d","uid":"1"}})") ==
        R"(metadata.uid: Invalid value: "2": field is immutable)");
}

TEST_CASE("pods need sound containers") {
  CHECK(pod_verdict(R"({"containers":[{"name":"a","image":"i"}]})") == "");
  CHECK(pod_verdict("{}") == "spec.containers: Required value");
  CHECK(pod_verdict(R"({"containers":[{"image":"i"}]})") ==
        "spec.containers[0].name: Required value");
  CHECK(pod_verdict(R"({"containers":[{"name":"a"}]})") ==
        "spec.containers[0].image: Required value");
  CHECK(pod_verdict(R"({"containers":[{"name":"a","image":"i"},{"name":"a","image":"i"}]})") ==
        R"(spec.containers[1].name: Duplicate value: "a")");
  CHECK(pod_verdict(R"({"containers":[{"name":"A","image":"i"}]})")
            .starts_with(R"(spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123)"));
  CHECK(pod_verdict(R"({"containers":[{"name":"a","image":" i"}]})") ==
        R"(spec.containers[0].image: Invalid value: " i": must not have leading or trailing )"
        "whitespace");
}

TEST_CASE("ports, environment and mounts") {
  CHECK(container_verdict(R"("ports":[{"containerPort":70000}])") ==
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
        "65535, inclusive");
  CHECK(container_verdict(R"("ports":[{"name":"x"}])") ==
        "spec.containers[0].ports[0].containerPort: Required value");
  CHECK(container_verdict(R"("ports":[{"containerPort":80,"protocol":"tcp"}])") ==
        R"(spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: )"
        R"("SCTP", "TCP", "UDP")");
  CHECK(container_verdict(R"("env":[{"name":""}])") ==
        "spec.containers[0].env[0].name: Required value");
  CHECK(container_verdict(R"("env":[{"name":"A","value":"b","valueFrom":{"fieldRef":)"
                          R"({"fieldPath":"metadata.name"}}}])") ==
        R"(spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when )"
        "`value` is not empty");
  CHECK(container_verdict(R"("volumeMounts":[{"name":"v","mountPath":"/x"}])") ==
        R"(spec.containers[0].volumeMounts[0].name: Not found: "v")");
  CHECK(container_verdict(R"("volumeMounts":[{"name":"v","mountPath":"/x"}])",
                          R"(,"volumes":[{"name":"v","emptyDir":{}}])") == "");
  CHECK(container_verdict(R"("volumeMounts":[{"name":"v","mountPath":"/x"},)"
                          R"({"name":"v","mountPath":"/x","subPath":"../y"}])",
                          R"(,"volumes":[{"name":"v","emptyDir":{}}])") ==
        R"(spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique)"
        "\n"
        R"(spec.containers[0].volumeMounts[1].subPath: Invalid value: "../y": must not contain )"
        "'..'");
}

TEST_CASE("resources and probes") {
  CHECK(container_verdict(R"("resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1000m"}})") ==
        R"(spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal )"
        "to cpu limit of 1");
  CHECK(container_verdict(R"("resources":{"limits":{"gpu":"1"}})") ==
        R"(spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard )"
        "resource type or fully qualified");
  CHECK(container_verdict(R"("resources":{"limits":{"memory":"-1"}})") ==
        R"(spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than )"
        "or equal to 0");
  CHECK(container_verdict(R"("livenessProbe":{})") ==
        "spec.containers[0].livenessProbe: Required value: must specify a handler type");
  CHECK(container_verdict(R"("livenessProbe":{"httpGet":{"port":80},"tcpSocket":{"port":80}})") ==
        "spec.containers[0].livenessProbe: Forbidden: may not specify more than 1 handler type");
  CHECK(
      container_verdict(
          R"("livenessProbe":{"httpGet":{"port":0},"successThreshold":2,"periodSeconds":-1})") ==
      "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or "
      "equal to 0\n"
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1\n"
      "spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and "
      "65535, inclusive");
}

TEST_CASE("the rest of a pod") {
  const auto with = [](std::string_view more) {
    return pod_verdict(R"({"containers":[{"name":"a","image":"i"}],)" + std::string(more) + "}");
  };
  CHECK(with(R"("restartPolicy":"Sometimes")") ==
        R"(spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", )"
        R"("Never", "OnFailure")");
  CHECK(with(R"("volumes":[{"name":"v"}])") ==
        "spec.volumes[0]: Required value: must specify a volume type");
  CHECK(with(R"("volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/x"}}])") ==
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type");
  CHECK(with(R"("volumes":[{"name":"v","secret":{}}])") ==
        "spec.volumes[0].secret.secretName: Required value");
  CHECK(with(R"("tolerations":[{"operator":"Exists"}])") == "");
  CHECK(with(R"("tolerations":[{"operator":"Equal"}])")
            .starts_with(R"(spec.tolerations[0].operator: Invalid value: "Equal": operator must)"));
  CHECK(with(R"("tolerations":[{"key":"a","operator":"Exists","tolerationSeconds":3}])") ==
        R"(spec.tolerations[0].effect: Invalid value: "": effect must be 'NoExecute' when )"
        "`tolerationSeconds` is set");
  CHECK(with(R"("activeDeadlineSeconds":0)") ==
        "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, "
        "inclusive");
  CHECK(with(R"("affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":)"
             R"([{"labelSelector":{}}]}})") ==
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]."
        "topologyKey: Required value");
  CHECK(with(R"("initContainers":[{"name":"i","image":"i","livenessProbe":{"exec":)"
             R"({"command":["x"]}}}])") ==
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers "
        "without restartPolicy=Always");
}

TEST_CASE("a running pod changes only in a few ways") {
  const std::string before =
      pod(R"({"containers":[{"name":"a","image":"i"}],"nodeName":"n","tolerations":[{"key":"k",)"
          R"("operator":"Exists"}]})");
  const auto change = [&before](std::string_view spec, std::string_view subresource = "") {
    return verdict("v1", "Pod", pod(spec), before, subresource);
  };
  CHECK(change(R"({"containers":[{"name":"a","image":"j"}],"nodeName":"n","tolerations":[)"
               R"({"key":"k","operator":"Exists"},{"key":"l","operator":"Exists"}]})") == "");
  CHECK(change(R"({"containers":[{"name":"a","image":"i"}],"nodeName":"m","tolerations":[)"
               R"({"key":"k","operator":"Exists"}]})") ==
        "spec: Forbidden: pod updates may not change fields other than "
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        "`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
        "negative)\n  spec.nodeName: \"n\" -> \"m\"\n");
  CHECK(change(R"({"containers":[{"name":"a","image":"i"}],"nodeName":"n"})") ==
        "spec.tolerations: Forbidden: existing toleration can not be modified except its "
        "tolerationSeconds");
  CHECK(change(R"({"containers":[{"name":"a","image":"i"},{"name":"b","image":"i"}]})") ==
        "spec.containers: Forbidden: pod updates may not add or remove containers");
  CHECK(change(R"({"containers":[]})", "status") == "");
}

TEST_CASE("a gated pod may lose its gates and gain selectors") {
  const std::string before =
      pod(R"({"containers":[{"name":"a","image":"i"}],"schedulingGates":[{"name":"g"}]})");
  CHECK(verdict("v1", "Pod",
                pod(R"({"containers":[{"name":"a","image":"i"}],"nodeSelector":{"a":"b"}})"),
                before) == "");
  CHECK(
      verdict("v1", "Pod",
              pod(R"({"containers":[{"name":"a","image":"i"}],"schedulingGates":[{"name":"h"}]})"),
              before) ==
      "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate "
      "'h'");
}

TEST_CASE("deployments select the pods they make") {
  CHECK(verdict("apps/v1", "Deployment", deployment(R"({"matchLabels":{"app":"w"}})")) == "");
  CHECK(verdict("apps/v1", "Deployment", deployment("null")) == "spec.selector: Required value");
  CHECK(verdict("apps/v1", "Deployment", deployment("{}")) ==
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment");
  CHECK(verdict("apps/v1", "Deployment", deployment(R"({"matchLabels":{"app":"z"}})")) ==
        R"(spec.template.metadata.labels: Invalid value: {"app":"w"}: `selector` does not match )"
        "template `labels`");
  CHECK(verdict("apps/v1", "Deployment",
                deployment(R"({"matchLabels":{"app":"w"}})", R"(,"replicas":-1)")) ==
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0");
  CHECK(
      verdict("apps/v1", "Deployment",
              deployment(R"({"matchExpressions":[{"key":"app","operator":"Exists"}]})"),
              deployment(R"({"matchLabels":{"app":"w"}})")) ==
      R"(spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Exists"}]}: )"
      "field is immutable");
  CHECK(verdict("apps/v1", "Deployment",
                deployment(R"({"matchLabels":{"app":"w"}})",
                           R"(,"strategy":{"type":"RollingUpdate","rollingUpdate":)"
                           R"({"maxSurge":0,"maxUnavailable":"0%"}})")) ==
        R"(spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when )"
        "`maxSurge` is 0");
  CHECK(verdict("apps/v1", "Deployment",
                deployment(R"({"matchLabels":{"app":"w"}})",
                           R"(,"strategy":{"type":"Recreate","rollingUpdate":{}})")) ==
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is "
        "'Recreate'");
}

TEST_CASE("jobs say when their pods restart") {
  const auto job = [](std::string_view spec, std::string_view before = "") {
    return verdict("batch/v1", "Job", with_meta(R"("spec":)" + std::string(spec)), before);
  };
  CHECK(job(R"({"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a",)"
            R"("image":"i"}]}}})") == "");
  CHECK(job(R"({"template":{"spec":{"restartPolicy":"Always","containers":[{"name":"a",)"
            R"("image":"i"}]}}})") ==
        R"(spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never")");
  CHECK(verdict("batch/v1", "CronJob",
                with_meta(
                    R"("spec":{"schedule":"* * *","jobTemplate":{"spec":{"template":{"spec":)"
                    R"({"restartPolicy":"Never","containers":[{"name":"a","image":"i"}]}}}}})")) ==
        R"(spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3)");
}

TEST_CASE("services") {
  const auto service = [](std::string_view spec, std::string_view before = "") {
    return verdict("v1", "Service", with_meta(R"("spec":)" + std::string(spec)), before);
  };
  CHECK(service(R"({"type":"ClusterIP","ports":[{"port":80,"protocol":"TCP"}]})") == "");
  CHECK(service(R"({"type":"ClusterIP"})") == "spec.ports: Required value");
  CHECK(service(R"({"clusterIP":"None"})") == "");
  CHECK(service(R"({"ports":[{"port":80,"protocol":"TCP"},{"port":81,"protocol":"TCP"}]})") ==
        "spec.ports[0].name: Required value\nspec.ports[1].name: Required value");
  CHECK(service(R"({"ports":[{"name":"a","port":80,"protocol":"TCP"},)"
                R"({"name":"b","port":80,"protocol":"TCP"}]})") ==
        R"(spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80})");
  CHECK(service(R"({"ports":[{"port":80,"targetPort":"a_b"}]})")
            .starts_with(R"(spec.ports[0].targetPort: Invalid value: "a_b": must contain only)"));
  CHECK(service(R"({"type":"Nope","ports":[{"port":80}]})") ==
        R"(spec.type: Unsupported value: "Nope": supported values: "ClusterIP", "ExternalName", )"
        R"("LoadBalancer", "NodePort")");
  CHECK(service(R"({"type":"ExternalName"})") == "spec.externalName: Required value");
  CHECK(service(R"({"type":"ClusterIP","ports":[{"port":80,"nodePort":30000}]})") ==
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'");
  CHECK(service(R"({"clusterIP":"10.43.0.2","ports":[{"port":80}]})",
                R"({"metadata":{"name":"x","namespace":"default"},"spec":)"
                R"({"clusterIP":"10.43.0.1","ports":[{"port":80}]}})") ==
        R"(spec.clusterIPs[0]: Invalid value: ["10.43.0.2"]: may not change once set)");
}

TEST_CASE("config maps and secrets") {
  CHECK(verdict("v1", "ConfigMap", with_meta(R"("data":{"a/b":"c"})"))
            .starts_with(R"(data[a/b]: Invalid value: "a/b": a valid config key must consist)"));
  CHECK(verdict("v1", "ConfigMap",
                with_meta(R"("data":{"a":")" + std::string(1024 * 1024 + 1, 'x') + R"("})")) ==
        ": Too long: may not be more than 1048576 bytes");
  CHECK(verdict("v1", "ConfigMap", with_meta(R"("data":{"a":"2"},"immutable":true)"),
                with_meta(R"("data":{"a":"1"},"immutable":true)")) ==
        "data: Forbidden: field is immutable when `immutable` is set");
  CHECK(verdict("v1", "Secret", with_meta(R"("type":"kubernetes.io/tls","data":{"tls.crt":""})")) ==
        "data[tls.key]: Required value");
  CHECK(verdict("v1", "Secret", with_meta(R"("type":"b")"), with_meta(R"("type":"a")")) ==
        R"(type: Invalid value: "b": field is immutable)");
}

TEST_CASE("roles and their bindings") {
  const std::string_view group = "rbac.authorization.k8s.io/v1";
  CHECK(verdict(group, "Role", with_meta(R"("rules":[{"apiGroups":[""],"resources":["pods"]}])")) ==
        "rules[0].verbs: Required value: verbs must contain at least one value");
  CHECK(verdict(group, "Role",
                with_meta(R"("rules":[{"nonResourceURLs":["/x"],"verbs":["get"]}])")) ==
        R"(rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to )"
        "non-resource URLs");
  const std::string_view good =
      R"("roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"},)"
      R"("subjects":[{"kind":"ServiceAccount","name":"s","namespace":"d"}])";
  CHECK(verdict(group, "RoleBinding", with_meta(good)) == "");
  CHECK(verdict(group, "RoleBinding",
                with_meta(R"("roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role",)"
                          R"("name":"q"})"),
                with_meta(good))
            .ends_with("cannot change roleRef"));
  CHECK(verdict(group, "RoleBinding",
                with_meta(R"("roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role",)"
                          R"("name":"r"},"subjects":[{"kind":"Robot","name":"s"}])")) ==
        R"(subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", )"
        R"("User", "Group")");
}

TEST_CASE("claims, ingresses and others") {
  CHECK(verdict("v1", "PersistentVolumeClaim", with_meta(R"("spec":{})")) ==
        "spec.accessModes: Required value: at least 1 access mode is required\n"
        "spec.resources[storage]: Required value");
  CHECK(verdict("networking.k8s.io/v1", "Ingress", with_meta(R"("spec":{})")) ==
        "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified");
  CHECK(verdict("networking.k8s.io/v1", "Ingress",
                with_meta(R"("spec":{"rules":[{"host":"a.b","http":{"paths":[{"path":"x",)"
                          R"("pathType":"Prefix","backend":{"service":{"name":"s"}}}]}}]})")) ==
        R"(spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path)"
        "\n"
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is required");
  CHECK(verdict("coordination.k8s.io/v1", "Lease",
                with_meta(R"("spec":{"leaseDurationSeconds":0})")) ==
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0");
  CHECK(verdict("v1", "Event", with_meta(R"("involvedObject":{"namespace":"other"})")) ==
        R"(involvedObject.namespace: Invalid value: "other": does not match event.namespace)");
  CHECK(verdict("storage.k8s.io/v1", "StorageClass", R"({"metadata":{"name":"x"}})") ==
        "provisioner: Required value");
  CHECK(verdict("v1", "Node",
                R"({"metadata":{"name":"n"},"spec":{"taints":[{"key":"a","effect":"NoSchedule"},)"
                R"({"key":"a","effect":"NoSchedule"}]}})") ==
        R"(spec.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be )"
        "unique by key and effect pair");
}

TEST_CASE("validation survives values of any shape") {
  const json::Value odd = *json::parse(
      R"({"metadata":[],"spec":{"containers":[1,{"ports":{}}],"selector":[],"template":3,)"
      R"("ports":[[]],"rules":"x","taints":[null],"volumes":[7]},"data":3,"rules":[[]],)"
      R"("subjects":[1],"roleRef":4})");
  for (const Kind& kind : builtin_schema().kinds()) {
    INFO(std::string(kind.kind));
    CHECK_FALSE(validate_object({.kind = &kind, .object = &odd}).empty());
    CHECK_NOTHROW(validate_object({.kind = &kind, .object = &odd, .before = &odd}));
  }
}

}  // namespace koi::api
