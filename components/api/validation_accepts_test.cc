#include <doctest/doctest.h>

#include <array>

#include "api/decode.h"
#include "api/defaulting.h"
#include "api/schema.h"
#include "api/validation.h"
#include "json/yaml.h"

// What people really apply must pass: as written, defaulted, and again as an update of itself.
namespace koi::api {

namespace {

constexpr std::array manifests = {
    std::string_view(R"(
apiVersion: v1
kind: Pod
metadata:
  name: everything
  labels: {app.kubernetes.io/name: x, tier: ""}
  annotations: {prometheus.io/scrape: "true", Example.com/Upper: y}
spec:
  serviceAccountName: default
  priorityClassName: system-node-critical
  hostname: h
  shareProcessNamespace: true
  nodeSelector: {kubernetes.io/os: linux}
  securityContext: {runAsUser: 0, fsGroup: 2000, seccompProfile: {type: RuntimeDefault}}
  imagePullSecrets: [{name: reg}]
  topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {}}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}}
  tolerations:
  - {operator: Exists}
  - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
  - {key: a, value: b}
  initContainers:
  - {name: setup, image: busybox, command: [sh, -c, "true"]}
  - name: sidecar
    image: busybox
    restartPolicy: Always
    startupProbe: {exec: {command: ["true"]}}
  containers:
  - name: main
    image: registry.example.com:5000/a/b@sha256:0123
    args: ["--x=$(A) y"]
    ports: [{name: http, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}]
    env:
    - {name: A, value: ""}
    - {name: my.dotted-name, value: "1"}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {
name:
  S, valueFrom : {
  secretKeyRef: {
  name:
    s, key : k, optional : true
  }
  }}
    envFrom: [{configMapRef: {name: c}}, {prefix: P_, secretRef: {name: s}}]
    resources:
      limits: {cpu: "2", memory: 1Gi, example.com/gpu: 1, hugepages-2Mi: 4Mi}
      requests: {cpu: 100m, memory: 64Mi, example.com/gpu: 1}
    volumeMounts:
    - {name: data, mountPath: /data, subPath: a/b}
    - {name: conf, mountPath: /etc/x.conf, subPath: x.conf, readOnly: true}
    livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5}
    readinessProbe: {tcpSocket: {port: 80}, successThreshold: 2}
    lifecycle: {
preStop: {
exec: {
command:
  [ sleep, "5" ]
}
}}
    securityContext:
      capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}
      readOnlyRootFilesystem: true
  volumes:
  - {name: data, emptyDir: {medium: Memory, sizeLimit: 10Mi}}
  - {name: conf, configMap: {name: c, items: [{key: x, path: x.conf}]}}
  - {name: host, hostPath: {path: /var/log, type: Directory}}
  - {name: pvc, persistentVolumeClaim: {claimName: c}}
  - name: projected
    projected:
      sources:
      - serviceAccountToken: {path: token, audience: api}
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
      - secret: {name: s}
)"),
    std::string_view(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  strategy: {rollingUpdate: {maxSurge: 100%, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}, matchExpressions: [{key: t, operator: NotIn, values: [x]}]}
  template:
    metadata: {labels: {app: web, more: "1"}}
    spec: {containers: [{name: web, image: nginx}]}
)"),
    std::string_view(R"(
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: pg, volumeMounts: [{name: own, mountPath: /data}]}]
      volumes: [{name: own, emptyDir: {}}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
)"),
    std::string_view(R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {type: OnDelete}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      containers: [{name: a, image: i, ports: [{containerPort: 9100, hostPort: 9100}]}]
)"),
    std::string_view(R"(
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "*/5 0-3 * * 1"
  timeZone: Europe/Berlin
  jobTemplate:
    spec:
      template: {spec: {restartPolicy: OnFailure, containers: [{name: a, image: i}]}}
)"),
    std::string_view(R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: http, nodePort: 30080}
  - {name: dns-udp, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53}
)"),
    std::string_view(
        "{apiVersion: v1, kind: Service, metadata: {name: h}, spec: {clusterIP: None}}"),
    std::string_view(R"({apiVersion: v1, kind: Service, metadata: {name: e},
      spec: {type: ExternalName, externalName: example.com}})"),
    std::string_view(R"({apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt},
      data: {ca.crt: x, _a: y, A-B.c: z}, binaryData: {b: AAE=}})"),
    std::string_view(R"({apiVersion: v1, kind: Secret, metadata: {name: s},
      type: helm.sh/release.v1, data: {release: eA==}})"),
    std::string_view(R"({apiVersion: v1, kind: ServiceAccount, metadata: {name: a}})"),
    std::string_view(R"({apiVersion: v1, kind: Namespace, metadata: {name: n},
      spec: {finalizers: [kubernetes]}})"),
    std::string_view(R"(
apiVersion: v1
kind: Node
metadata: {name: node-1, labels: {node-role.kubernetes.io/control-plane: ""}}
spec:
  podCIDR: 10.42.0.0/24
  taints:
  - {key: node.kubernetes.io/not-ready, effect: NoSchedule}
  - {key: a, value: b, effect: NoExecute}
)"),
    std::string_view(R"({apiVersion: v1, kind: Event, metadata: {name: x.1},
      involvedObject: {kind: Pod, name: x, namespace: default}, reason: R, type: Normal})"),
    std::string_view(R"({apiVersion: v1, kind: Event, metadata: {name: node-1.1},
      involvedObject: {kind: Node, name: node-1}, reason: Starting, type: Normal})"),
    std::string_view(R"({apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c},
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}})"),
    std::string_view(R"({apiVersion: v1, kind: PersistentVolume, metadata: {name: v},
      spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], hostPath: {path: /x},
      nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [
      {key: kubernetes.io/hostname, operator: In, values: [n]}]}]}}}})"),
    std::string_view(R"({apiVersion: v1, kind: LimitRange, metadata: {name: l},
      spec: {limits: [{type: Container, default: {cpu: 1}, defaultRequest: {cpu: 100m}}]}})"),
    std::string_view(R"({apiVersion: v1, kind: ResourceQuota, metadata: {name: q},
      spec: {hard: {pods: 10, requests.cpu: 4, count/deployments.apps: 3}}})"),
    std::string_view(R"({apiVersion: v1, kind: Endpoints, metadata: {name: e},
      subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]})"),
    std::string_view(R"({apiVersion: discovery.k8s.io/v1, kind: EndpointSlice,
      metadata: {name: e}, addressType: IPv4, endpoints: [], ports: [{port: 80}]})"),
    std::string_view(R"({apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l},
      spec: {holderIdentity: a, leaseDurationSeconds: 40,
      renewTime: "2026-01-01T00:00:00.000000Z"}})"),
    std::string_view(R"(
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec:
  ingressClassName: nginx
  tls: [{hosts: [a.example.com], secretName: t}]
  rules:
  - host: "*.example.com"
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {pathType: ImplementationSpecific, backend: {service: {name: web, port: {name: http}}}}
)"),
    std::string_view(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 53}]}]
)"),
    std::string_view(R"({apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
      metadata: {name: "system:aggregate-to-view"}, aggregationRule: {clusterRoleSelectors: [
      {matchLabels: {a: b}}]}, rules: []})"),
    std::string_view(R"({apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
      metadata: {name: r}, rules: [{apiGroups: ["", apps], resources: [pods, pods/log],
      verbs: ["*"]}, {nonResourceURLs: [/metrics], verbs: [get]}]})"),
    std::string_view(R"({apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
      metadata: {name: b}, roleRef: {kind: ClusterRole, name: cluster-admin,
      apiGroup: rbac.authorization.k8s.io}, subjects: [{kind: ServiceAccount, name: a,
      namespace: d}, {kind: Group, name: "system:masters"}, {kind: User, name: u@example.com}]})"),
    std::string_view(R"(
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 5
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
)"),
    std::string_view(R"({apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: p},
      spec: {minAvailable: 50%, selector: {matchLabels: {a: b}}}})"),
    std::string_view(R"({apiVersion: storage.k8s.io/v1, kind: StorageClass,
      metadata: {name: local-path}, provisioner: rancher.io/local-path,
      volumeBindingMode: WaitForFirstConsumer})"),
    std::string_view(R"({apiVersion: storage.k8s.io/v1, kind: CSIDriver,
      metadata: {name: csi.example.com}, spec: {attachRequired: false,
      tokenRequests: [{audience: ""}]}})"),
    std::string_view(R"({apiVersion: scheduling.k8s.io/v1, kind: PriorityClass,
      metadata: {name: high}, value: 1000, globalDefault: false})"),
    std::string_view(R"({apiVersion: node.k8s.io/v1, kind: RuntimeClass,
      metadata: {name: gvisor}, handler: runsc})"),
    std::string_view(R"({apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest,
      metadata: {name: "csr-abc"}, spec: {request: eA==, usages: [client auth],
      signerName: kubernetes.io/kube-apiserver-client}})"),
    std::string_view(R"(
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: w}
webhooks:
- name: validate.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {namespace: n, name: s, path: /x}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
)"),
};

// What is wrong with one manifest after every step that the server takes.
std::string verdict(std::string_view manifest) {
  auto parsed = json::parse_yaml(manifest);
  if (!parsed) return parsed.error().message;
  const Kind* kind = builtin_schema().find(json::string_at(*parsed, {"apiVersion"}),
                                           json::string_at(*parsed, {"kind"}));
  if (kind == nullptr) return "unknown kind";
  auto decoded = decode_value(std::move(*parsed), *kind, FieldValidation::strict);
  if (!decoded) return decoded.error().message;
  json::Value object = std::move(decoded->value);
  apply_defaults(object, *kind->type);
  if (kind->namespaced) json::set(object, {"metadata", "namespace"}, json::Value("default"));
  std::string text;
  for (const json::Value* before :
       {static_cast<const json::Value*>(nullptr), static_cast<const json::Value*>(&object)}) {
    for (const FieldError& error :
         validate_object({.kind = kind, .object = &object, .before = before})) {
      text += error.message() + "\n";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("everyday manifests are accepted") {
  for (const std::string_view manifest : manifests) {
    INFO(std::string(manifest));
    CHECK(verdict(manifest) == "");
  }
}

}  // namespace koi::api
