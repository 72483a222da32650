#include "api/openapi.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "json/value.h"

namespace koi::api {

namespace {

json::Value parsed(const std::string& text) {
  auto value = json::parse(text);
  REQUIRE_MESSAGE(value.has_value(), (value ? "" : value.error().message));
  return std::move(*value);
}

json::Value document_v2() {
  std::string text;
  write_openapi_v2(builtin_schema(), "v1.36.0", [&](std::string_view piece) { text += piece; });
  return parsed(text);
}

json::Value document_v3(std::string_view group, std::string_view version) {
  std::string text;
  REQUIRE(write_openapi_v3(builtin_schema(), "v1.36.0", group, version,
                           [&](std::string_view piece) { text += piece; }));
  return parsed(text);
}

// Every $ref in a document must lead to a definition.
void check_references(const json::Value& at, const json::Value& definitions,
                      std::string_view prefix) {
  if (const auto* object = at.if_object()) {
    for (const auto& member : *object) {
      if (member.key() == "$ref" && member.value().is_string()) {
        const std::string_view target = json::string_at(member.value(), {});
        INFO(std::string(target));
        REQUIRE(target.starts_with(prefix));
        CHECK(definitions.get_object().contains(target.substr(prefix.size())));
      }
      check_references(member.value(), definitions, prefix);
    }
  }
  if (const auto* array = at.if_array()) {
    for (const json::Value& item : *array) check_references(item, definitions, prefix);
  }
}

bool has_parameter(const json::Value& operation, std::string_view name) {
  return std::ranges::any_of(json::array_at(operation, {"parameters"}), [&](const auto& one) {
    return json::string_at(one, {"name"}) == name && json::string_at(one, {"in"}) == "query";
  });
}

}  // namespace

TEST_CASE("the v2 document describes fields, merge keys and calls") {
  const json::Value document = document_v2();
  CHECK(json::string_at(document, {"swagger"}) == "2.0");
  const json::Value* definitions = json::find(document, {"definitions"});
  REQUIRE(definitions != nullptr);
  check_references(document, *definitions, "#/definitions/");
  const json::Value* pod_spec = json::find(*definitions, {"io.k8s.api.core.v1.PodSpec"});
  REQUIRE(pod_spec != nullptr);
  const json::Value* containers = json::find(*pod_spec, {"properties", "containers"});
  REQUIRE(containers != nullptr);
  CHECK(json::string_at(*containers, {"items", "$ref"}) ==
        "#/definitions/io.k8s.api.core.v1.Container");
  CHECK(json::string_at(*containers, {"x-kubernetes-patch-merge-key"}) == "name");
  CHECK(json::string_at(*containers, {"x-kubernetes-patch-strategy"}) == "merge");
  CHECK(json::string_at(*containers, {"x-kubernetes-list-type"}) == "map");
  CHECK(json::serialize(*json::find(*pod_spec, {"required"})) == R"(["containers"])");
  CHECK(json::serialize(*json::find(
            *definitions, {"io.k8s.api.core.v1.Pod", "x-kubernetes-group-version-kind"})) ==
        R"([{"group":"","kind":"Pod","version":"v1"}])");
  CHECK(json::string_at(*definitions, {"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
                                       "format"}) == "int-or-string");
  const json::Value* patch = json::find(
      document, {"paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch"});
  REQUIRE(patch != nullptr);
  CHECK(has_parameter(*patch, "fieldValidation"));
  CHECK(json::string_at(*patch, {"operationId"}) == "patchAppsV1NamespacedDeployment");
  CHECK(json::string_at(*patch, {"x-kubernetes-action"}) == "patch");
  CHECK(json::string_at(*patch, {"x-kubernetes-group-version-kind", "kind"}) == "Deployment");
}

TEST_CASE("the protobuf form of v2 is well-formed and lists every definition") {
  std::string text;
  write_openapi_v2_protobuf(builtin_schema(), "v1.36.0",
                            [&](std::string_view piece) { text += piece; });
  std::size_t at = 0;
  const auto varint = [&]() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      REQUIRE(at < text.size());
      const auto byte = static_cast<unsigned char>(text[at++]);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) return value;
    }
  };
  std::size_t definitions = 0;
  while (at < text.size()) {
    const std::uint64_t tag = varint();
    CHECK((tag & 7U) == 2);
    const std::uint64_t size = varint();
    REQUIRE(size <= text.size() - at);
    if (tag >> 3U == 9) ++definitions;
    at += size;
  }
  CHECK(definitions == json::object_at(document_v2(), {"definitions"}).size());
  CHECK(text.find("x-kubernetes-patch-merge-key") != std::string::npos);
  CHECK(text.find("fieldValidation") != std::string::npos);
}

TEST_CASE("v3 documents hold what one group version reaches") {
  const json::Value document = document_v3("apps", "v1");
  CHECK(json::string_at(document, {"openapi"}) == "3.0.0");
  const json::Value* schemas = json::find(document, {"components", "schemas"});
  REQUIRE(schemas != nullptr);
  check_references(document, *schemas, "#/components/schemas/");
  CHECK(json::find(*schemas, {"io.k8s.api.core.v1.PodSpec"}) != nullptr);
  CHECK(json::find(*schemas, {"io.k8s.api.core.v1.Node"}) == nullptr);
  const json::Value* scale = json::find(
      document, {"paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"});
  REQUIRE(scale != nullptr);
  CHECK(json::string_at(*scale, {"patch", "x-kubernetes-group-version-kind", "group"}) ==
        "autoscaling");
  const json::Value* post =
      json::find(document, {"paths", "/apis/apps/v1/namespaces/{namespace}/deployments", "post"});
  REQUIRE(post != nullptr);
  CHECK(has_parameter(*post, "fieldValidation"));
  CHECK(json::string_at(*post, {"requestBody", "content", "*/*", "schema", "$ref"}) ==
        "#/components/schemas/io.k8s.api.apps.v1.Deployment");
  CHECK_FALSE(write_openapi_v3(builtin_schema(), "v1.36.0", "apps", "v7",
                               [](std::string_view) { FAIL("nothing to write"); }));
}

TEST_CASE("every group version has a sound document") {
  for (const GroupVersions& group : builtin_schema().groups()) {
    for (const std::string_view version : group.versions) {
      INFO(std::string(group.group), "/", std::string(version));
      const json::Value document = document_v3(group.group, version);
      check_references(document, *json::find(document, {"components", "schemas"}),
                       "#/components/schemas/");
    }
  }
}

TEST_CASE("the index names every document with its hash") {
  const json::Value index = parsed(openapi_v3_index(builtin_schema(), "v1.36.0"));
  const std::string_view address =
      json::string_at(index, {"paths", "apis/apps/v1", "serverRelativeURL"});
  CHECK(address == "/openapi/v3/apis/apps/v1?hash=" +
                       openapi_v3_hash(builtin_schema(), "v1.36.0", "apps", "v1"));
  CHECK(address.size() == std::string_view("/openapi/v3/apis/apps/v1?hash=").size() + 32);
  CHECK(json::find(index, {"paths", "api/v1"}) != nullptr);
  CHECK(openapi_v3_hash(builtin_schema(), "v1.36.1", "apps", "v1") !=
        openapi_v3_hash(builtin_schema(), "v1.36.0", "apps", "v1"));
}

}  // namespace koi::api
