#include "agent/container_spec.h"

#include <doctest/doctest.h>

#include "agent/pod_status.h"

namespace koi::agent {

namespace {

// Builds the spec of the first container of a pod.
struct SpecCase {
  images::Image image;
  Environment environment;

  SpecCase() {
    image.config.entrypoint = {"/entry"};
    image.config.command = {"default"};
    image.config.working_dir = "/srv";
    image.layers = {"/layer"};
    environment.set("WHO", "me");
  }

  base::Result<runtime::ContainerSpec> build(std::string_view spec) {
    json::Value pod = json::Object{};
    json::set(pod, {"metadata"}, *json::parse(R"({"name": "web", "namespace": "ns", "uid": "u"})"));
    json::set(pod, {"spec"}, *json::parse(spec));
    view = view_pod(api::make_object(std::move(pod)));
    ContainerInputs inputs;
    inputs.pod = &view;
    inputs.container = &view.containers.front();
    inputs.image = &image;
    inputs.environment = &environment;
    inputs.volumes = {{"data", "/volumes/data"}};
    inputs.hosts = "/pod/hosts";
    inputs.node_memory_bytes = std::int64_t{8} << 30;
    return build_container_spec(inputs);
  }

  std::string error(std::string_view spec) {
    const auto built = build(spec);
    REQUIRE_FALSE(built);
    return built.error().message;
  }

  PodView view;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("the pod's command replaces the image's, and its args the image's command") {
  SpecCase test;
  CHECK(test.build(R"({"containers": [{"name": "a"}]})")->args == Words{"/entry", "default"});
  CHECK(test.build(R"({"containers": [{"name": "a", "args": ["x"]}]})")->args ==
        Words{"/entry", "x"});
  CHECK(test.build(R"json({"containers": [{"name": "a",
      "command": ["c", "$(WHO)"]}]})json")
            ->args == Words{"c", "me"});
  test.image.config.entrypoint.clear();
  test.image.config.command.clear();
  CHECK(test.error(R"({"containers": [{"name": "a", "image": "i"}]})")
            .starts_with("no command specified"));
}

TEST_CASE("security settings of the container win over the pod's") {
  SpecCase test;
  const auto spec = test.build(R"({"securityContext": {"runAsUser": 1, "runAsGroup": 2,
      "fsGroup": 3, "supplementalGroups": [4]}, "containers": [{"name": "a", "securityContext":
      {"runAsUser": 9, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
      "capabilities": {"add": ["CAP_NET_ADMIN"], "drop": ["ALL"]}}}]})");
  REQUIRE(spec);
  CHECK(spec->user.uid == 9);
  CHECK(spec->user.gid == 2);
  CHECK(spec->user.supplementary_gids == std::vector<std::int64_t>{4, 3});
  CHECK(spec->security.read_only_root);
  CHECK_FALSE(spec->security.allow_privilege_escalation);
  CHECK(spec->security.capabilities_add == Words{"NET_ADMIN"});
  CHECK_FALSE(spec->security.seccomp_unconfined);
  CHECK(spec->working_dir == "/srv");
}

TEST_CASE("runAsNonRoot is checked before anything runs") {
  SpecCase test;
  const auto with = [](const std::string& rest) {
    return R"({"containers": [{"name": "a", "securityContext": {"runAsNonRoot": true)" + rest +
           "}}]}";
  };
  CHECK(test.error(with("")) ==
        "container has runAsNonRoot and image will run as root (pod: \"web_ns(u)\", container: a)");
  CHECK(test.error(with(R"(, "runAsUser": 0)")) ==
        "container's runAsUser breaks non-root policy (pod: \"web_ns(u)\", container: a)");
  CHECK(test.build(with(R"(, "runAsUser": 5)")));
  test.image.config.user = "1000:1000";
  CHECK(test.build(with("")));
  test.image.config.user = "nobody";
  CHECK(test.error(with("")).find("non-numeric user (nobody)") != std::string::npos);
}

TEST_CASE("mounts lead to volumes and never out of them") {
  SpecCase test;
  const auto mount = [](const std::string& rest) {
    return R"({"containers": [{"name": "a", "volumeMounts": [{"name": "data", "mountPath": "/d")" +
           rest + "}]}]}";
  };
  const auto spec = test.build(mount(R"json(, "subPathExpr": "$(WHO)/x", "readOnly": true)json"));
  REQUIRE(spec);
  REQUIRE(spec->mounts.size() == 2);
  CHECK(spec->mounts[0].source == "/volumes/data");
  CHECK(spec->mounts[0].sub_path == "me/x");
  CHECK(spec->mounts[0].read_only);
  CHECK(spec->mounts[1].target == "/etc/hosts");
  CHECK_FALSE(test.build(mount(R"(, "subPath": "../x")")));
  CHECK_FALSE(test.build(mount(R"(, "subPath": "/x")")));
  CHECK_FALSE(test.build(mount(R"json(, "subPathExpr": "$(NOBODY)")json")));
}

TEST_CASE("requests and limits become cgroup settings") {
  const auto container = json::parse(R"({"resources": {"requests": {"cpu": "250m"},
      "limits": {"cpu": "500m", "memory": "64Mi"}}})");
  const auto limits = container_resources(*container);
  CHECK(limits.cpu_shares == 256);
  CHECK(limits.cpu_quota_micros == 50'000);
  CHECK(limits.memory_bytes_max == 64 * 1024 * 1024);
  const auto none = container_resources(json::Object{});
  CHECK(none.cpu_shares == 2);
  CHECK_FALSE(none.cpu_quota_micros.has_value());
  const auto tiny =
      container_resources(*json::parse(R"({"resources": {"limits": {"cpu": "1m"}}})"));
  CHECK(tiny.cpu_quota_micros == 1'000);
}

TEST_CASE("a pod's cgroup holds its containers and has a limit only when all have one") {
  const auto pod = json::parse(R"({"spec": {
      "initContainers": [{"resources": {"limits": {"cpu": "3", "memory": "10Mi"}}}],
      "containers": [{"resources": {"limits": {"cpu": "1", "memory": "64Mi"}}},
                     {"resources": {"limits": {"memory": "64Mi"}}}]}})");
  const auto limits = pod_resources(*pod);
  CHECK(limits.cpu_shares == 3 * 1024);
  CHECK_FALSE(limits.cpu_quota_micros.has_value());
  CHECK(limits.memory_bytes_max == 128 * 1024 * 1024);
}

TEST_CASE("quality of service decides who dies first") {
  const std::int64_t memory = std::int64_t{8} << 30;
  const auto score = [&](std::string_view resources) {
    json::Value pod = json::Object{};
    json::ensure_array(pod, {"spec", "containers"})
        .push_back(json::Object{{"resources", *json::parse(resources)}});
    const auto& container = json::array_at(pod, {"spec", "containers"}).front();
    return std::pair(qos_class(pod), oom_score(pod, container, memory));
  };
  using Score = std::pair<std::string, int>;
  CHECK(score("{}") == Score("besteffort", 1000));
  CHECK(score(R"({"limits": {"cpu": "1", "memory": "1Gi"}})") == Score("guaranteed", -997));
  CHECK(score(R"({"requests": {"memory": "4Gi"}})") == Score("burstable", 500));
  CHECK(score(R"({"requests": {"cpu": "1"}})") == Score("burstable", 999));
}

}  // namespace koi::agent
