#include "api/defaulting.h"

#include <doctest/doctest.h>

#include "api/decode.h"

namespace koi::api {

namespace {

const Kind& kind_of(std::string_view api_version, std::string_view kind) {
  const Kind* found = builtin_schema().find(api_version, kind);
  REQUIRE(found != nullptr);
  return *found;
}

json::Value defaulted(std::string_view api_version, std::string_view kind, std::string_view text) {
  auto body = decode_body(text, kind_of(api_version, kind), FieldValidation::strict);
  REQUIRE_MESSAGE(body.has_value(), body.error().message);
  apply_defaults(body->value, *kind_of(api_version, kind).type);
  json::Value again = body->value;
  apply_defaults(again, *kind_of(api_version, kind).type);
  CHECK(json::serialize(again) == json::serialize(body->value));
  return std::move(body->value);
}

std::string at(const json::Value& value, json::Path path) {
  const auto* found = json::find(value, path);
  return found != nullptr ? json::serialize(*found) : "absent";
}

}  // namespace

TEST_CASE("a pod gets what upstream gives it") {
  const auto pod = defaulted("v1", "Pod", R"({"metadata":{"name":"p"},"spec":{
      "hostNetwork":true,"serviceAccount":"old",
      "volumes":[{"name":"tmp"},{"name":"s","secret":{"secretName":"x"}},
        {"name":"t","projected":{"sources":[{"serviceAccountToken":{"path":"token"}}]}}],
      "containers":[{"name":"a","image":"nginx","ports":[{"containerPort":80}],
        "resources":{"limits":{"cpu":"1"},"requests":{"memory":"1Gi"}},
        "livenessProbe":{"httpGet":{"port":80}}},
       {"name":"b","image":"reg:5000/x/nginx:1.27@sha256:abc"},
       {"name":"c","image":"reg:5000/x/nginx"},{"name":"d","image":"nginx:latest"}]}})");
  CHECK(at(pod, {"spec", "restartPolicy"}) == "\"Always\"");
  CHECK(at(pod, {"spec", "dnsPolicy"}) == "\"ClusterFirst\"");
  CHECK(at(pod, {"spec", "terminationGracePeriodSeconds"}) == "30");
  CHECK(at(pod, {"spec", "schedulerName"}) == "\"default-scheduler\"");
  CHECK(at(pod, {"spec", "securityContext"}) == "{}");
  CHECK(at(pod, {"spec", "enableServiceLinks"}) == "true");
  CHECK(at(pod, {"spec", "serviceAccountName"}) == "\"old\"");
  const auto& volumes = json::array_at(pod, {"spec", "volumes"});
  CHECK(at(volumes[0], {"emptyDir"}) == "{}");
  CHECK(at(volumes[1], {"secret", "defaultMode"}) == "420");
  CHECK(json::serialize(volumes[2]).find("\"expirationSeconds\":3600") != std::string::npos);
  const auto& containers = json::array_at(pod, {"spec", "containers"});
  CHECK(at(containers[0], {"imagePullPolicy"}) == "\"Always\"");
  CHECK(at(containers[1], {"imagePullPolicy"}) == "\"IfNotPresent\"");
  CHECK(at(containers[2], {"imagePullPolicy"}) == "\"Always\"");
  CHECK(at(containers[3], {"imagePullPolicy"}) == "\"Always\"");
  CHECK(at(containers[0], {"terminationMessagePath"}) == "\"/dev/termination-log\"");
  CHECK(at(containers[0], {"resources", "requests"}) == R"({"memory":"1Gi","cpu":"1"})");
  CHECK(at(containers[0], {"ports"}) == R"([{"containerPort":80,"hostPort":80,"protocol":"TCP"}])");
  CHECK(at(containers[0], {"livenessProbe", "httpGet"}) ==
        R"({"port":80,"path":"/","scheme":"HTTP"})");
  CHECK(at(containers[0], {"livenessProbe", "failureThreshold"}) == "3");
}

TEST_CASE("a template gets only what belongs to a template") {
  const auto deployment = defaulted("apps/v1", "Deployment", R"({"spec":{"template":{"spec":
      {"hostNetwork":true,"containers":[{"name":"a","image":"x:1","ports":[{"containerPort":80}],
      "resources":{"limits":{"cpu":"1"}}}]}}}})");
  CHECK(at(deployment, {"spec", "replicas"}) == "1");
  CHECK(at(deployment, {"spec", "strategy"}) ==
        R"({"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}})");
  CHECK(at(deployment, {"spec", "revisionHistoryLimit"}) == "10");
  CHECK(at(deployment, {"spec", "progressDeadlineSeconds"}) == "600");
  CHECK(at(deployment, {"spec", "template", "spec", "dnsPolicy"}) == "\"ClusterFirst\"");
  CHECK(at(deployment, {"spec", "template", "spec", "enableServiceLinks"}) == "absent");
  const auto& containers = json::array_at(deployment, {"spec", "template", "spec", "containers"});
  CHECK(at(containers[0], {"resources"}) == R"({"limits":{"cpu":"1"}})");
  CHECK(at(containers[0], {"ports"}) == R"([{"containerPort":80,"protocol":"TCP"}])");
  const auto recreate =
      defaulted("apps/v1", "Deployment", R"({"spec":{"strategy":{"type":"Recreate"}}})");
  CHECK(at(recreate, {"spec", "strategy"}) == R"({"type":"Recreate"})");
}

TEST_CASE("workloads") {
  const auto set = defaulted("apps/v1", "StatefulSet", R"({"spec":{}})");
  CHECK(at(set, {"spec", "updateStrategy"}) ==
        R"({"type":"RollingUpdate","rollingUpdate":{"partition":0}})");
  CHECK(at(set, {"spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"}) == "\"Retain\"");
  const auto explicit_set = defaulted("apps/v1", "StatefulSet",
                                      R"({"spec":{"updateStrategy":{"type":"RollingUpdate"}}})");
  CHECK(at(explicit_set, {"spec", "updateStrategy"}) == R"({"type":"RollingUpdate"})");
  const auto daemons = defaulted("apps/v1", "DaemonSet", R"({"spec":{}})");
  CHECK(at(daemons, {"spec", "updateStrategy", "rollingUpdate"}) ==
        R"({"maxUnavailable":1,"maxSurge":0})");
  const auto job = defaulted("batch/v1", "Job", R"({"metadata":{"name":"j"},"spec":{"template":
      {"metadata":{"labels":{"a":"b"}}}}})");
  CHECK(at(job, {"spec", "completions"}) == "1");
  CHECK(at(job, {"spec", "backoffLimit"}) == "6");
  CHECK(at(job, {"spec", "completionMode"}) == "\"NonIndexed\"");
  CHECK(at(job, {"spec", "podReplacementPolicy"}) == "\"TerminatingOrFailed\"");
  CHECK(at(job, {"metadata", "labels"}) == R"({"a":"b"})");
  const auto work_queue = defaulted("batch/v1", "Job", R"({"spec":{"parallelism":3}})");
  CHECK(at(work_queue, {"spec", "completions"}) == "absent");
  const auto cron = defaulted("batch/v1", "CronJob", R"({"spec":{"schedule":"* * * * *"}})");
  CHECK(at(cron, {"spec", "successfulJobsHistoryLimit"}) == "3");
  CHECK(at(cron, {"spec", "jobTemplate", "spec", "completions"}) == "absent");
  CHECK(at(cron, {"spec", "jobTemplate", "spec", "suspend"}) == "absent");
  CHECK(at(cron, {"spec", "jobTemplate", "spec", "template", "spec", "dnsPolicy"}) ==
        "\"ClusterFirst\"");
}

TEST_CASE("services") {
  const auto cluster = defaulted("v1", "Service", R"({"spec":{"ports":[{"port":80}]}})");
  CHECK(at(cluster, {"spec", "ports"}) == R"([{"port":80,"protocol":"TCP","targetPort":80}])");
  CHECK(at(cluster, {"spec", "type"}) == "\"ClusterIP\"");
  CHECK(at(cluster, {"spec", "sessionAffinity"}) == "\"None\"");
  CHECK(at(cluster, {"spec", "internalTrafficPolicy"}) == "\"Cluster\"");
  CHECK(at(cluster, {"spec", "externalTrafficPolicy"}) == "absent");
  const auto balanced = defaulted("v1", "Service", R"({"spec":{"type":"LoadBalancer",
      "sessionAffinity":"ClientIP","ports":[{"port":80,"targetPort":"http"}]},
      "status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"}]}}})");
  CHECK(at(balanced, {"spec", "externalTrafficPolicy"}) == "\"Cluster\"");
  CHECK(at(balanced, {"spec", "allocateLoadBalancerNodePorts"}) == "true");
  CHECK(at(balanced, {"spec", "sessionAffinityConfig"}) ==
        R"({"clientIP":{"timeoutSeconds":10800}})");
  CHECK(at(balanced, {"status", "loadBalancer", "ingress"}) ==
        R"([{"ip":"1.2.3.4","ipMode":"VIP"}])");
}

TEST_CASE("the rest of the core") {
  const auto secret = defaulted("v1", "Secret", R"({"data":{"a":"eA=="},"stringData":{"b":"hi"}})");
  CHECK(at(secret, {"type"}) == "\"Opaque\"");
  CHECK(at(secret, {"data"}) == R"({"a":"eA==","b":"aGk="})");
  CHECK(at(secret, {"stringData"}) == "absent");
  const auto space = defaulted("v1", "Namespace", R"({"metadata":{"name":"n"}})");
  CHECK(at(space, {"metadata", "labels"}) == R"({"kubernetes.io/metadata.name":"n"})");
  CHECK(at(space, {"spec"}) == "{}");
  const auto claim = defaulted("v1", "PersistentVolumeClaim", R"({"spec":{}})");
  CHECK(at(claim, {"spec", "volumeMode"}) == "\"Filesystem\"");
  const auto range = defaulted(
      "v1", "LimitRange",
      R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"min":{"memory":"1Mi"}}]}})");
  const auto& item = json::array_at(range, {"spec", "limits"})[0];
  CHECK(at(item, {"default"}) == R"({"cpu":"2"})");
  CHECK(at(item, {"defaultRequest"}) == R"({"cpu":"2","memory":"1Mi"})");
}

TEST_CASE("other groups") {
  const auto binding = defaulted("rbac.authorization.k8s.io/v1", "RoleBinding",
                                 R"({"subjects":[{"kind":"User","name":"u"},
                                    {"kind":"ServiceAccount","name":"s","namespace":"n"}],
                                    "roleRef":{"kind":"Role","name":"r"}})");
  CHECK(at(binding, {"roleRef", "apiGroup"}) == "\"rbac.authorization.k8s.io\"");
  CHECK(at(json::array_at(binding, {"subjects"})[0], {"apiGroup"}) ==
        "\"rbac.authorization.k8s.io\"");
  CHECK(at(json::array_at(binding, {"subjects"})[1], {"apiGroup"}) == "absent");
  const auto policy =
      defaulted("networking.k8s.io/v1", "NetworkPolicy", R"({"spec":{"egress":[{}]}})");
  CHECK(at(policy, {"spec", "policyTypes"}) == R"(["Ingress","Egress"])");
  const auto scaler = defaulted("autoscaling/v2", "HorizontalPodAutoscaler",
                                R"({"spec":{"maxReplicas":3,"behavior":{"scaleDown":{}}}})");
  CHECK(at(scaler, {"spec", "minReplicas"}) == "1");
  CHECK(json::array_at(scaler, {"spec", "behavior", "scaleUp", "policies"}).size() == 2);
  CHECK(json::array_at(scaler, {"spec", "metrics"}).size() == 1);
  const auto crd = defaulted("apiextensions.k8s.io/v1", "CustomResourceDefinition",
                             R"({"spec":{"names":{"kind":"Foo","plural":"foos"}}})");
  CHECK(at(crd, {"spec", "names", "singular"}) == "\"foo\"");
  CHECK(at(crd, {"spec", "conversion"}) == R"({"strategy":"None"})");
}

}  // namespace koi::api
