#include "api/schema.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "json/value.h"

namespace koi::api {

TEST_CASE("a kind is found by group, version, kind and by plural") {
  const Schema& schema = builtin_schema();
  const Kind* deployment = schema.find("apps/v1", "Deployment");
  REQUIRE(deployment != nullptr);
  CHECK(deployment->plural == "deployments");
  CHECK(deployment->short_names.size() == 1);
  CHECK(deployment->list_type->name == "io.k8s.api.apps.v1.DeploymentList");
  CHECK(schema.find_resource("apps", "v1", "deployments") == deployment);
  CHECK(deployment->subresource("scale")->kind == "Scale");
  CHECK(deployment->has_verb("deletecollection"));
  CHECK(schema.find("apps/v1", "Pod") == nullptr);
  CHECK(schema.find("apps/v1", "DeleteOptions") != nullptr);
  CHECK(schema.find_body_type("v1", "PodList") == schema.find("v1", "Pod")->list_type);
}

TEST_CASE("fields carry what the facts say") {
  const Type* container = builtin_schema().find_type("io.k8s.api.core.v1.Container");
  REQUIRE(container != nullptr);
  const Field* ports = container->field("ports");
  REQUIRE(ports != nullptr);
  CHECK(ports->shape->kind == ShapeKind::array);
  CHECK(ports->shape->element->type->name == "io.k8s.api.core.v1.ContainerPort");
  CHECK(ports->rules->list_type == ListType::map);
  REQUIRE(ports->rules->list_map_keys.size() == 2);
  CHECK(ports->rules->list_map_keys[1] == "protocol");
  CHECK(ports->rules->patch_merge_key == "containerPort");
  CHECK(ports->proto == ProtoPath{6});
  CHECK(container->field("Ports") == nullptr);
  const Type* selector = builtin_schema().find_type("io.k8s.api.core.v1.SecretKeySelector");
  CHECK(selector->field("name")->proto == ProtoPath{1, 1});
  CHECK(selector->map_type == MapType::atomic);
}

TEST_CASE("core comes first and every group serves its versions") {
  const Schema& schema = builtin_schema();
  CHECK(schema.groups().front().group.empty());
  std::set<std::string_view> groups;
  for (const auto& kind : schema.kinds()) groups.insert(kind.group);
  CHECK(groups.size() == schema.groups().size());
}

TEST_CASE("the tables hold what the shared facts hold") {
  std::ifstream stream(KOI_SHARED_DIR "/api-facts/types.json");
  if (!stream) {
    MESSAGE("skipped: no shared api-facts");
    return;
  }
  std::stringstream text;
  text << stream.rdbuf();
  const auto facts = json::parse(text.str());
  REQUIRE(facts.has_value());
  for (const auto& member : facts->as_object()) {
    const Type* type = builtin_schema().find_type(member.key());
    REQUIRE_MESSAGE(type != nullptr, std::string(member.key()));
    const auto& fields = json::object_at(member.value(), {"fields"});
    CHECK(type->fields.size() == fields.size());
    for (const auto& fact : fields) {
      const Field* field = type->field(fact.key());
      REQUIRE_MESSAGE(field != nullptr, std::string(fact.key()));
      CHECK(field->required == json::bool_at(fact.value(), {"required"}));
    }
  }
}

}  // namespace koi::api
