#include "agent/environment.h"

#include <doctest/doctest.h>

#include "agent/expansion.h"
#include "agent/quantity.h"

namespace koi::agent {

namespace {

struct EnvironmentCase {
  json::Value pod = *json::parse(R"({"metadata": {"name": "web", "namespace": "default",
      "labels": {"app": "shop"}}, "spec": {"serviceAccountName": "robot"}})");
  std::vector<std::string> image_env{"PATH=/bin", "LANG=C"};
  ReferenceMap references;
  std::map<std::string, std::string> services{{"DB_SERVICE_HOST", "10.43.0.7"}};

  EnvironmentCase() {
    references[{ReferenceKind::config_map, "settings"}] =
        api::make_object(*json::parse(R"({"metadata": {"name": "settings", "namespace": "default"},
            "data": {"color": "blue", "not=ok": "x"}})"));
    references[{ReferenceKind::secret, "keys"}] =
        api::make_object(*json::parse(R"({"metadata": {"name": "keys", "namespace": "default"},
            "data": {"token": "c2VjcmV0"}})"));
    references[{ReferenceKind::secret, "gone"}] = nullptr;
  }

  base::Result<Environment> build(std::string_view container) {
    spec = *json::parse(container);
    EnvironmentInputs inputs;
    inputs.pod = &pod;
    inputs.container = &spec;
    inputs.image_env = &image_env;
    inputs.references = &references;
    inputs.services = services;
    inputs.facts.pod_ip = "10.42.0.9";
    inputs.facts.node_name = "node-1";
    inputs.facts.allocatable_cpu_milli = 4000;
    inputs.hostname = "web";
    return build_environment(inputs);
  }

  std::string value(std::string_view container, std::string_view name) {
    const auto built = build(container);
    REQUIRE(built);
    const auto* found = built->find(name);
    return found ? *found : "<unset>";
  }

  std::string error(std::string_view container) {
    const auto built = build(container);
    REQUIRE_FALSE(built);
    return built.error().message;
  }

  json::Value spec;
};

}  // namespace

TEST_CASE("references in values are replaced, unknown and escaped ones are not") {
  const auto lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "A") return "1";
    return std::nullopt;
  };
  CHECK(expand_references("$(A)-$(B)-$$(A)-$", lookup) == "1-$(B)-$(A)-$");
  CHECK(expand_references("$(A", lookup) == "$(A");
  CHECK(expand_references("$A $$$$", lookup) == "$A $$");
}

TEST_CASE("variables come from the image, services, maps and the pod, later ones winning") {
  EnvironmentCase test;
  const char* container =
      R"json({"envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}},
      {"secretRef": {"name": "keys"}}],
      "env": [{"name": "PATH", "value": "/mine:$(PATH)"},
      {"name": "URL", "value": "$(DB_SERVICE_HOST)"},
      {"name": "BOTH", "value": "$(token)+$(URL)"}]})json";
  CHECK(test.value(container, "LANG") == "C");
  CHECK(test.value(container, "HOSTNAME") == "web");
  CHECK(test.value(container, "P_color") == "blue");
  CHECK(test.value(container, "P_not=ok") == "<unset>");
  CHECK(test.value(container, "token") == "secret");
  CHECK(test.value(container, "PATH") == "/mine:$(PATH)");
  CHECK(test.value(container, "BOTH") == "secret+10.43.0.7");
}

TEST_CASE("a pod learns about itself through variables") {
  EnvironmentCase test;
  const auto field = [&](const std::string& path) {
    return test.value(
        R"({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": ")" + path + "\"}}}]}",
        "X");
  };
  CHECK(field("metadata.name") == "web");
  CHECK(field("metadata.labels['app']") == "shop");
  CHECK(field("status.podIP") == "10.42.0.9");
  CHECK(field("spec.nodeName") == "node-1");
  CHECK(field("spec.serviceAccountName") == "robot");
  CHECK(test.value(R"({"resources": {"limits": {"memory": "64Mi"}}, "env": [{"name": "X",
      "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}}]})",
                   "X") == "64");
  CHECK(test.value(R"({"env": [{"name": "X", "valueFrom": {"resourceFieldRef":
      {"resource": "limits.cpu"}}}]})",
                   "X") == "4");
}

TEST_CASE("a reference that does not resolve is named, unless it is optional") {
  EnvironmentCase test;
  CHECK(test.error(R"({"envFrom": [{"configMapRef": {"name": "nope"}}]})") ==
        "configmap \"nope\" not found");
  CHECK(test.error(R"({"env": [{"name": "X", "valueFrom": {"secretKeyRef":
      {"name": "gone", "key": "k"}}}]})") == "secret \"gone\" not found");
  CHECK(test.error(R"({"env": [{"name": "X", "valueFrom": {"configMapKeyRef":
      {"name": "settings", "key": "size"}}}]})") ==
        "couldn't find key size in ConfigMap default/settings");
  CHECK(test.value(R"({"env": [{"name": "X", "valueFrom": {"secretKeyRef":
      {"name": "gone", "key": "k", "optional": true}}}]})",
                   "X") == "<unset>");
}

TEST_CASE("services are announced as upstream names them") {
  const auto service = api::make_object(*json::parse(R"({"metadata": {"name": "my-db",
      "namespace": "default"}, "spec": {"clusterIP": "10.43.1.2",
      "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]}})"));
  const auto headless = api::make_object(*json::parse(R"({"metadata": {"name": "none",
      "namespace": "default"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}})"));
  const auto all = service_variables({service, headless}, "default", true);
  CHECK(all.at("MY_DB_SERVICE_HOST") == "10.43.1.2");
  CHECK(all.at("MY_DB_SERVICE_PORT") == "5432");
  CHECK(all.at("MY_DB_SERVICE_PORT_SQL") == "5432");
  CHECK(all.at("MY_DB_PORT") == "tcp://10.43.1.2:5432");
  CHECK(all.at("MY_DB_PORT_5432_TCP_ADDR") == "10.43.1.2");
  CHECK(all.size() == 8);
  CHECK(service_variables({service}, "other", true).empty());
  CHECK(service_variables({service}, "default", false).empty());
}

TEST_CASE("quantities are read in thousandths and in whole units, rounded up") {
  CHECK(parse_milli("250m") == 250);
  CHECK(parse_milli("1.5") == 1500);
  CHECK(parse_whole("64Mi") == 64 * 1024 * 1024);
  CHECK(parse_whole("100m") == 1);
  CHECK_FALSE(parse_whole("much").has_value());
  CHECK_FALSE(parse_whole("").has_value());
}

}  // namespace koi::agent
