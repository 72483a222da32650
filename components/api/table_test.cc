#include "api/table.h"

#include <doctest/doctest.h>

#include <vector>

#include "api/schema.h"

namespace koi::api {

namespace {

using namespace std::chrono_literals;

const base::WallTime now = *base::parse_time("2026-01-02T00:00:00Z");

json::Value table_for(std::string_view group, std::string_view kind, const json::Value& object) {
  const std::vector<const json::Value*> objects{&object};
  return make_table(objects, nullptr, {.group = group, .kind = kind, .now = now});
}

std::string cells(std::string_view group, std::string_view kind, std::string_view object) {
  const auto parsed = json::parse(object);
  REQUIRE(parsed);
  const json::Value table = table_for(group, kind, *parsed);
  const json::Value& row = json::array_at(table, {"rows"})[0];
  CHECK(json::array_at(row, {"cells"}).size() ==
        json::array_at(table, {"columnDefinitions"}).size());
  return json::serialize(*json::find(row, {"cells"}));
}

// The STATUS, READY and RESTARTS of a pod with this spec and status.
std::string pod(std::string_view spec, std::string_view status, std::string_view more = "") {
  std::string text = R"({"metadata":{"name":"x")";
  text.append(more).append(R"(},"spec":)").append(spec).append(R"(,"status":)").append(status);
  const auto parsed = json::parse(text + "}");
  REQUIRE(parsed);
  const json::Value table = table_for("", "Pod", *parsed);
  const json::Array& row = json::array_at(json::array_at(table, {"rows"})[0], {"cells"});
  std::string out;
  for (const std::size_t cell : {2U, 1U, 3U}) {
    out.append(json::string_at(row[cell], {})).append(cell == 3U ? "" : " ");
  }
  return out;
}

constexpr std::string_view one = R"({"containers":[{"name":"a"}]})";
constexpr std::string_view two = R"({"containers":[{"name":"a"},{"name":"b"}]})";
constexpr std::string_view with_init =
    R"({"initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]})";
constexpr std::string_view with_sidecar =
    R"({"initContainers":[{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]})";

}  // namespace

TEST_CASE("durations are told in two units") {
  CHECK(human_duration(-500ms) == "0s");
  CHECK(human_duration(-1500ms) == "0s");
  CHECK(human_duration(-5s) == "<invalid>");
  CHECK(human_duration(75s) == "75s");
  CHECK(human_duration(119s) == "119s");
  CHECK(human_duration(120s) == "2m");
  CHECK(human_duration(125s) == "2m5s");
  CHECK(human_duration(10min + 30s) == "10m");
  CHECK(human_duration(179min) == "179m");
  CHECK(human_duration(3h) == "3h");
  CHECK(human_duration(3h + 5min) == "3h5m");
  CHECK(human_duration(8h + 5min) == "8h");
  CHECK(human_duration(47h) == "47h");
  CHECK(human_duration(48h) == "2d");
  CHECK(human_duration(76h) == "3d4h");
  CHECK(human_duration(24h * 8 + 5h) == "8d");
  CHECK(human_duration(24h * 729) == "729d");
  CHECK(human_duration(24h * 800) == "2y70d");
  CHECK(human_duration(24h * 365 * 9) == "9y");
}

TEST_CASE("a table carries its columns and objects") {
  const json::Value object = *json::parse(
      R"({"kind":"Pod","metadata":{"name":"x","creationTimestamp":"2026-01-01T23:58:45Z"},)"
      R"("status":{"phase":"Pending"}})");
  const std::vector<const json::Value*> objects{&object};
  const json::Value metadata = *json::parse(R"({"resourceVersion":"7"})");
  json::Value table = make_table(objects, &metadata, {.group = "", .kind = "Pod", .now = now});
  CHECK(json::string_at(table, {"apiVersion"}) == "meta.k8s.io/v1");
  CHECK(json::string_at(table, {"metadata", "resourceVersion"}) == "7");
  std::string names;
  for (const json::Value& column : json::array_at(table, {"columnDefinitions"})) {
    names.append(json::string_at(column, {"name"})).append(",");
  }
  CHECK(names == "Name,Ready,Status,Restarts,Age,IP,Node,Nominated Node,Readiness Gates,");
  const json::Value& row = json::array_at(table, {"rows"})[0];
  CHECK(json::serialize(*json::find(row, {"cells"})) ==
        R"(["x","0/0","Pending","0","75s","<none>","<none>","<none>","<none>"])");
  CHECK(json::string_at(row, {"object", "kind"}) == "PartialObjectMetadata");
  CHECK(json::string_at(row, {"object", "metadata", "name"}) == "x");
  table = make_table(objects, nullptr,
                     {.group = "",
                      .kind = "Pod",
                      .now = now,
                      .include = IncludeObject::object,
                      .has_columns = false});
  CHECK(json::array_at(table, {"columnDefinitions"}).empty());
  CHECK(json::string_at(json::array_at(table, {"rows"})[0], {"object", "status", "phase"}) ==
        "Pending");
  table = make_table(objects, nullptr,
                     {.group = "", .kind = "Pod", .now = now, .include = IncludeObject::none});
  CHECK(json::find(json::array_at(table, {"rows"})[0], {"object"})->is_null());
}

TEST_CASE("the status of a pod is its most telling reason") {
  CHECK(pod(one, R"({"phase":"Pending"})") == "Pending 0/1 0");
  CHECK(pod(one, R"({"phase":"Running","containerStatuses":[{"ready":true,"restartCount":0,)"
                 R"("state":{"running":{}}}]})") == "Running 1/1 0");
  CHECK(pod(one, R"({"phase":"Pending","containerStatuses":[{"state":{"waiting":)"
                 R"({"reason":"ErrImagePull"}}}]})") == "ErrImagePull 0/1 0");
  CHECK(pod(one, R"({"phase":"Running","containerStatuses":[{"restartCount":3,"state":{"waiting":)"
                 R"({"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"finishedAt":)"
                 R"("2026-01-01T23:59:50Z"}}}]})") == "CrashLoopBackOff 0/1 3 (10s ago)");
  CHECK(pod(one, R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":)"
                 R"({"reason":"OOMKilled","exitCode":137}}}]})") == "OOMKilled 0/1 0");
  CHECK(pod(one, R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":)"
                 R"({"exitCode":3}}}]})") == "ExitCode:3 0/1 0");
  CHECK(pod(one, R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":)"
                 R"({"signal":9,"exitCode":137}}}]})") == "Signal:9 0/1 0");
  CHECK(pod(one, R"({"phase":"Succeeded","containerStatuses":[{"state":{"terminated":)"
                 R"({"reason":"Completed"}}}]})") == "Completed 0/1 0");
  CHECK(pod(one, R"({"phase":"Failed","reason":"Evicted"})") == "Evicted 0/1 0");
  CHECK(pod(one, R"({"phase":"Pending","conditions":[{"type":"PodScheduled",)"
                 R"("reason":"SchedulingGated"}]})") == "SchedulingGated 0/1 0");
}

TEST_CASE("a pod with one container done and one running") {
  const std::string_view statuses =
      R"("containerStatuses":[{"state":{"terminated":{"reason":"Completed"}}},)"
      R"({"ready":true,"state":{"running":{}}}])";
  CHECK(pod(two, R"({"phase":"Running",)" + std::string(statuses) + "}") == "NotReady 1/2 0");
  CHECK(pod(two, R"({"phase":"Running","conditions":[{"type":"Ready","status":"True"}],)" +
                     std::string(statuses) + "}") == "Running 1/2 0");
}

TEST_CASE("a pod that goes away says so") {
  const std::string_view deleted = R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")";
  CHECK(pod(one, R"({"phase":"Running"})", deleted) == "Terminating 0/1 0");
  CHECK(pod(one, R"({"phase":"Running","reason":"NodeLost"})", deleted) == "Unknown 0/1 0");
  CHECK(pod(one, R"({"phase":"Succeeded"})", deleted) == "Succeeded 0/1 0");
}

TEST_CASE("init containers hold a pod up") {
  CHECK(pod(with_init, R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":)"
                       R"({"running":{}}},{"name":"j","state":{"waiting":)"
                       R"({"reason":"PodInitializing"}}}]})") == "Init:0/2 0/1 0");
  CHECK(pod(with_init, R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":)"
                       R"({"terminated":{"exitCode":0}}},{"name":"j","state":{"waiting":)"
                       R"({"reason":"PodInitializing"}}}]})") == "Init:1/2 0/1 0");
  CHECK(pod(with_init,
            R"({"phase":"Pending","initContainerStatuses":[{"name":"i","restartCount":2,)"
            R"("state":{"terminated":{"exitCode":1,"reason":"Error"}}}]})") == "Init:Error 0/1 2");
  CHECK(pod(with_init, R"({"phase":"Pending","initContainerStatuses":[{"name":"i",)"
                       R"("state":{"terminated":{"exitCode":4}}}]})") == "Init:ExitCode:4 0/1 0");
  CHECK(pod(with_init,
            R"({"phase":"Pending","initContainerStatuses":[{"name":"i","state":)"
            R"({"waiting":{"reason":"CrashLoopBackOff"}}}]})") == "Init:CrashLoopBackOff 0/1 0");
  CHECK(pod(with_init,
            R"({"phase":"Running","initContainerStatuses":[{"name":"i","restartCount":5,)"
            R"("state":{"terminated":{"exitCode":0}}},{"name":"j","state":{"terminated":)"
            R"({"exitCode":0}}}],"containerStatuses":[{"ready":true,"state":{"running":{}}}]})") ==
        "Running 1/1 0");
}

TEST_CASE("sidecars count as containers") {
  CHECK(pod(with_sidecar,
            R"({"phase":"Running","initContainerStatuses":[{"name":"s","restartCount":1,)"
            R"("started":true,"ready":true,"state":{"running":{}}}],)"
            R"("containerStatuses":[{"ready":true,"state":{"running":{}}}]})") == "Running 2/2 1");
}

TEST_CASE("nodes") {
  CHECK(
      cells("", "Node",
            R"({"metadata":{"name":"n","creationTimestamp":"2026-01-01T00:00:00Z","labels":)"
            R"({"node-role.kubernetes.io/master":"","node-role.kubernetes.io/control-plane":""}},)"
            R"("spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready",)"
            R"("status":"True"}],"addresses":[{"type":"InternalIP","address":"10.0.0.1"}],)"
            R"("nodeInfo":{"kubeletVersion":"v1.36.0","osImage":"Debian"}}})") ==
      R"(["n","Ready,SchedulingDisabled","control-plane,master","24h","v1.36.0","10.0.0.1",)"
      R"("<none>","Debian","<unknown>","<unknown>"])");
  CHECK(cells("", "Node",
              R"({"metadata":{"name":"n"},"status":{"conditions":[)"
              R"({"type":"Ready","status":"Unknown"}]}})")
            .starts_with(R"(["n","NotReady","<none>","<unknown>","")"));
}

TEST_CASE("workloads") {
  const std::string pods =
      R"("template":{"spec":{"containers":[{"name":"a","image":"i:1"},{"name":"b","image":"j"}]}})";
  CHECK(cells("apps", "Deployment",
              R"({"metadata":{"name":"w","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":)"
              R"({"replicas":3,"selector":{"matchLabels":{"app":"w"}},)" +
                  pods + R"(},"status":{"readyReplicas":2,"updatedReplicas":3}})") ==
        R"(["w","2/3",3,0,"24h","a,b","i:1,j","app=w"])");
  CHECK(cells("apps", "ReplicaSet",
              R"({"metadata":{"name":"w"},"spec":{"replicas":3,"selector":{"matchLabels":)"
              R"({"app":"w"}},)" +
                  pods + R"(},"status":{"replicas":2}})") ==
        R"(["w",3,2,0,"<unknown>","a,b","i:1,j","app=w"])");
  CHECK(cells("apps", "DaemonSet",
              R"({"metadata":{"name":"d"},"spec":{"selector":{},)" + pods +
                  R"(},"status":{"desiredNumberScheduled":1}})") ==
        R"(["d",1,0,0,0,0,"<none>","<unknown>","a,b","i:1,j","<none>"])");
  CHECK(cells("batch", "Job",
              R"({"metadata":{"name":"j"},"spec":{"completions":2,"selector":{}},"status":)"
              R"({"succeeded":2,"startTime":"2026-01-01T00:00:00Z","completionTime":)"
              R"("2026-01-01T00:01:30Z","conditions":[{"type":"Complete","status":"True"}]}})") ==
        R"(["j","Complete","2/2","90s","<unknown>","","","<none>"])");
  CHECK(cells("batch", "CronJob",
              R"({"metadata":{"name":"c"},"spec":{"schedule":"* * * * *","suspend":false}})") ==
        R"(["c","* * * * *","<none>","False",0,"<none>","<unknown>","","","<none>"])");
  CHECK(cells("autoscaling", "HorizontalPodAutoscaler",
              R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment",)"
              R"("name":"w"},"minReplicas":1,"maxReplicas":4,"metrics":[{"type":"Resource",)"
              R"("resource":{"name":"cpu","target":{"type":"Utilization",)"
              R"("averageUtilization":80}}}]},"status":{"currentReplicas":2}})") ==
        R"(["h","Deployment/w","cpu: <unknown>/80%","1",4,2,"<unknown>"])");
}

TEST_CASE("services and what is behind them") {
  CHECK(cells("", "Service",
              R"({"metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIP":"10.43.0.9",)"
              R"("ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,)"
              R"("protocol":"UDP"}],"selector":{"b":"2","a":"1"}}})") ==
        R"(["s","NodePort","10.43.0.9","<none>","80:30080/TCP,53/UDP","<unknown>","a=1,b=2"])");
  CHECK(cells("", "Service", R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer"}})") ==
        R"(["s","LoadBalancer","<none>","<pending>","<none>","<unknown>","<none>"])");
  CHECK(cells("", "Endpoints",
              R"({"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"1.1.1.1"},)"
              R"({"ip":"1.1.1.2"}],"ports":[{"port":80},{"port":81}]}]})") ==
        R"(["e","1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 1 more...","<unknown>"])");
  CHECK(cells("networking.k8s.io", "Ingress",
              R"({"metadata":{"name":"i"},"spec":{"rules":[{"host":"a.b"}],"tls":[{}]}})") ==
        R"(["i","<none>","a.b","","80, 443","<unknown>"])");
  CHECK(cells("networking.k8s.io", "NetworkPolicy",
              R"({"metadata":{"name":"p"},"spec":{"podSelector":{}}})") ==
        R"(["p","<none>","<unknown>"])");
}

TEST_CASE("events of both groups") {
  CHECK(
      cells("", "Event",
            R"({"metadata":{"name":"x.1"},"type":"Normal","reason":"Pulled","message":" got it ",)"
            R"("involvedObject":{"kind":"Pod","name":"x"},"source":{"component":"kubelet",)"
            R"("host":"n"},"firstTimestamp":"2026-01-01T23:59:00Z","lastTimestamp":)"
            R"("2026-01-01T23:59:30Z","count":4})") ==
      R"(["30s","Normal","Pulled","pod/x","","kubelet, n","got it","60s",4,"x.1"])");
  CHECK(cells("events.k8s.io", "Event",
              R"({"metadata":{"name":"x.1"},"type":"Normal","reason":"R","note":"m",)"
              R"("regarding":{"kind":"Pod","name":"x"},"reportingController":"s",)"
              R"("eventTime":"2026-01-01T23:59:30.000000Z"})") ==
        R"(["30s","Normal","R","pod/x","","s","m","30s",1,"x.1"])");
}

TEST_CASE("the rest") {
  CHECK(cells("", "ConfigMap",
              R"({"metadata":{"name":"c"},"data":{"a":"1"},"binaryData":)"
              R"({"b":""}})") == R"(["c",2,"<unknown>"])");
  CHECK(cells("", "PersistentVolumeClaim",
              R"({"metadata":{"name":"c"},"spec":{"volumeName":"v","volumeMode":"Filesystem",)"
              R"("storageClassName":"local"},"status":{"phase":"Bound","capacity":{"storage":)"
              R"("1Gi"},"accessModes":["ReadWriteOnce"]}})") ==
        R"(["c","Bound","v","1Gi","RWO","local","<unset>","<unknown>","Filesystem"])");
  CHECK(cells("storage.k8s.io", "StorageClass",
              R"({"metadata":{"name":"s","annotations":{)"
              R"("storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"p",)"
              R"("reclaimPolicy":"Retain","volumeBindingMode":"WaitForFirstConsumer"})") ==
        R"x(["s (default)","p","Retain","WaitForFirstConsumer",false,"<unknown>"])x");
  CHECK(cells("rbac.authorization.k8s.io", "RoleBinding",
              R"({"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"r"},"subjects":[)"
              R"({"kind":"User","name":"u"},{"kind":"ServiceAccount","namespace":"n",)"
              R"("name":"a"}]})") == R"(["b","Role/r","<unknown>","u","","n/a"])");
  CHECK(cells("certificates.k8s.io", "CertificateSigningRequest",
              R"({"metadata":{"name":"c"},"spec":{"signerName":"s","username":"u"},"status":)"
              R"({"conditions":[{"type":"Approved"}],"certificate":"Yw=="}})") ==
        R"(["c","<unknown>","s","u","<none>","Approved,Issued"])");
  CHECK(cells("", "ResourceQuota",
              R"({"metadata":{"name":"q"},"status":{"hard":{"pods":"10","limits.cpu":"4"},)"
              R"("used":{"pods":"1"}}})") == R"(["q","pods: 1/10","limits.cpu: 0/4","<unknown>"])");
  CHECK(cells("policy", "PodDisruptionBudget",
              R"({"metadata":{"name":"p"},"spec":{"minAvailable":"50%"}})") ==
        R"(["p","50%","N/A",0,"<unknown>"])");
  CHECK(cells("", "LimitRange",
              R"({"metadata":{"name":"l","creationTimestamp":"2026-01-01T00:00:00Z"}})") ==
        R"(["l","2026-01-01T00:00:00Z"])");
  CHECK(cells("example.com", "Widget", R"({"metadata":{"name":"w"}})") == R"(["w",""])");
}

TEST_CASE("every kind has as many cells as columns, whatever is missing") {
  const json::Value empty = *json::parse("{}");
  const json::Value odd = *json::parse(
      R"({"metadata":7,"spec":[],"status":"x","subsets":{},"ports":3,"endpoints":[1]})");
  for (const Kind& kind : builtin_schema().kinds()) {
    for (const json::Value* object : {&empty, &odd}) {
      INFO(std::string(kind.kind));
      const json::Value table = table_for(kind.group, kind.kind, *object);
      CHECK(json::array_at(json::array_at(table, {"rows"})[0], {"cells"}).size() ==
            json::array_at(table, {"columnDefinitions"}).size());
    }
  }
}

}  // namespace koi::api
