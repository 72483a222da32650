#include "api/discovery.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace koi::api {

namespace {

const json::Value* named(const json::Array& list, std::string_view key, std::string_view name) {
  const auto* const found = std::ranges::find_if(
      list, [&](const json::Value& item) { return json::string_at(item, {key}) == name; });
  return found == list.end() ? nullptr : found;
}

}  // namespace

TEST_CASE("the plain lists") {
  CHECK(json::serialize(discover_core_versions("10.0.0.1:6443")) ==
        R"({"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":)"
        R"([{"clientCIDR":"0.0.0.0/0","serverAddress":"10.0.0.1:6443"}]})");
  const json::Value groups = discover_groups(builtin_schema());
  const json::Value* apps = named(json::array_at(groups, {"groups"}), "name", "apps");
  REQUIRE(apps != nullptr);
  CHECK(json::serialize(*apps) ==
        R"({"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],)"
        R"("preferredVersion":{"groupVersion":"apps/v1","version":"v1"}})");
  CHECK(named(json::array_at(groups, {"groups"}), "name", "") == nullptr);
  const json::Value* autoscaling = named(json::array_at(groups, {"groups"}), "name", "autoscaling");
  REQUIRE(autoscaling != nullptr);
  CHECK(json::string_at(*autoscaling, {"preferredVersion", "version"}) == "v2");
  const auto group = discover_group(builtin_schema(), "apps");
  REQUIRE(group);
  CHECK(json::string_at(*group, {"kind"}) == "APIGroup");
  CHECK_FALSE(discover_group(builtin_schema(), "nope"));
  CHECK_FALSE(discover_resources(builtin_schema(), "apps", "v9"));
}

TEST_CASE("resources with their subresources") {
  const auto core = discover_resources(builtin_schema(), "", "v1");
  REQUIRE(core);
  CHECK(json::string_at(*core, {"groupVersion"}) == "v1");
  const json::Array& resources = json::array_at(*core, {"resources"});
  const json::Value* pods = named(resources, "name", "pods");
  REQUIRE(pods != nullptr);
  CHECK(json::serialize(*pods) ==
        R"({"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":)"
        R"(["create","delete","deletecollection","get","list","patch","update","watch"],)"
        R"("shortNames":["po"],"categories":["all"]})");
  const json::Value* eviction = named(resources, "name", "pods/eviction");
  REQUIRE(eviction != nullptr);
  CHECK(json::string_at(*eviction, {"group"}) == "policy");
  CHECK(json::string_at(*eviction, {"kind"}) == "Eviction");
  const json::Value* exec = named(resources, "name", "pods/exec");
  REQUIRE(exec != nullptr);
  CHECK(json::serialize(*json::find(*exec, {"verbs"})) == R"(["create","get"])");
  CHECK(named(resources, "name", "pods/proxy/*") == nullptr);
  const auto apps = discover_resources(builtin_schema(), "apps", "v1");
  REQUIRE(apps);
  CHECK(json::string_at(*apps, {"apiVersion"}) == "v1");
  const json::Value* scale =
      named(json::array_at(*apps, {"resources"}), "name", "deployments/scale");
  REQUIRE(scale != nullptr);
  CHECK(json::serialize(*scale) ==
        R"({"name":"deployments/scale","singularName":"","namespaced":true,)"
        R"("group":"autoscaling","version":"v1","kind":"Scale","verbs":["get","patch","update"]})");
}

TEST_CASE("everything in one list") {
  const json::Value core = discover_all(builtin_schema(), DiscoveryRoot::core, "v2");
  CHECK(json::string_at(core, {"apiVersion"}) == "apidiscovery.k8s.io/v2");
  REQUIRE(json::array_at(core, {"items"}).size() == 1);
  const json::Value& version = json::array_at(json::array_at(core, {"items"})[0], {"versions"})[0];
  CHECK(json::string_at(version, {"freshness"}) == "Current");
  const json::Value groups = discover_all(builtin_schema(), DiscoveryRoot::groups, "v2beta1");
  const json::Array& items = json::array_at(groups, {"items"});
  const auto* const apps = std::ranges::find_if(items, [](const json::Value& item) {
    return json::string_at(item, {"metadata", "name"}) == "apps";
  });
  REQUIRE(apps != items.end());
  const json::Array& resources =
      json::array_at(json::array_at(*apps, {"versions"})[0], {"resources"});
  const json::Value* deployments = named(resources, "resource", "deployments");
  REQUIRE(deployments != nullptr);
  CHECK(json::serialize(*deployments) ==
        R"({"resource":"deployments","responseKind":{"group":"apps","version":"v1",)"
        R"("kind":"Deployment"},"scope":"Namespaced","singularResource":"deployment","verbs":)"
        R"(["create","delete","deletecollection","get","list","patch","update","watch"],)"
        R"("shortNames":["deploy"],"categories":["all"],"subresources":[{"subresource":"scale",)"
        R"("responseKind":{"group":"autoscaling","version":"v1","kind":"Scale"},"verbs":)"
        R"(["get","patch","update"]},{"subresource":"status","responseKind":{"group":"apps",)"
        R"("version":"v1","kind":"Deployment"},"verbs":["get","patch","update"]}]})");
}

}  // namespace koi::api
