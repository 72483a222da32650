#include "api/selectors.h"

#include <doctest/doctest.h>

namespace koi::api {

namespace {

bool label_match(std::string_view selector, std::string_view labels) {
  const auto parsed = LabelSelector::parse(selector);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(selector));
  return parsed->matches(json::parse(labels)->get_object());
}

std::string label_error(std::string_view selector) {
  const auto parsed = LabelSelector::parse(selector);
  return parsed ? "" : parsed.error().message;
}

bool field_match(std::string_view selector, const FieldScope& scope, std::string_view object) {
  const auto parsed = FieldSelector::parse(selector, scope);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(selector));
  return parsed->matches(*json::parse(object));
}

const FieldScope pod{"", "v1", "Pod", {}};

}  // namespace

TEST_CASE("label queries") {
  const std::string_view labels = R"({"app":"web","tier":"a","n":"5"})";
  for (const std::string_view yes :
       {"", " ", "app=web", "app == web", "app", "!x", "app!=db", "x!=1", "tier in (a,b)",
        "tier in ( b , a )", "tier notin (c)", "x notin (c)", "app=web,tier=a", "n>4", "n<6",
        " app = web , !legacy ", "x notin ()"}) {
    INFO(yes);
    CHECK(label_match(yes, labels));
  }
  for (const std::string_view no :
       {"app=db", "app=", "!app", "x", "app!=web", "tier in (c)", "tier notin (a)", "n>5", "n<5",
        "app>1", "app=web,tier=b", "x in (a)", "x in ()"}) {
    INFO(no);
    CHECK_FALSE(label_match(no, labels));
  }
}

TEST_CASE("malformed label queries say what was expected") {
  CHECK(label_error("app=web,") ==
        "unable to parse requirement: found '', expected: identifier "
        "after ','");
  CHECK(label_error("app in a") == "unable to parse requirement: found 'a', expected: '('");
  CHECK(label_error("app foo") ==
        "unable to parse requirement: found 'foo', expected: in, notin, =, ==, !=, gt, lt");
  CHECK(label_error("a=b c") ==
        "unable to parse requirement: found 'c', expected: ',' or 'end of "
        "string'");
  CHECK(label_error("=") ==
        "unable to parse requirement: found '=', expected: !, identifier, or 'end of string'");
  CHECK(label_error("a in (x") != "");
  CHECK(label_error("a in (x y)") != "");
  CHECK(label_error("a=-").starts_with(
      R"(unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be)"));
  CHECK(label_error("_a=b").starts_with(
      R"(unable to parse requirement: key: Invalid value: "_a": name part must consist of)"));
  CHECK(label_error("a>b") != "");
  CHECK_FALSE(LabelSelector::parse(std::string(100'000, 'a')));
}

TEST_CASE("selector objects") {
  const auto from = [](std::string_view text) {
    const json::Value value = *json::parse(text);
    return LabelSelector::from_object(&value);
  };
  const json::Object web = json::parse(R"({"app":"web","tier":"a"})")->get_object();
  CHECK(from("{}")->matches(web));
  CHECK(from("{}")->is_everything());
  CHECK_FALSE(LabelSelector::from_object(nullptr)->matches(web));
  CHECK_FALSE(from("null")->matches({}));
  const auto both = from(R"({"matchLabels":{"app":"web"},"matchExpressions":[
      {"key":"tier","operator":"In","values":["b","a"]},{"key":"x","operator":"DoesNotExist"}]})");
  REQUIRE(both);
  CHECK(both->matches(web));
  CHECK_FALSE(both->matches(json::parse(R"({"app":"web"})")->get_object()));
  CHECK(both->str() == "!x,app=web,tier in (a,b)");
  CHECK(from(R"({"matchExpressions":[{"key":"a","operator":"Is"}]})").error().message ==
        R"("Is" is not a valid label selector operator)");
  CHECK_FALSE(from(R"({"matchExpressions":[{"key":"a","operator":"In"}]})"));
  CHECK_FALSE(from(R"({"matchExpressions":[{"key":"a","operator":"Exists","values":["b"]}]})"));
  CHECK(LabelSelector::from_map(web).str() == "app=web,tier=a");
  CHECK(from(R"({"matchLabels":{"app":"web"}})")
            ->matches_object(*json::parse(R"({"metadata":{"labels":{"app":"web"}}})")));
}

TEST_CASE("field queries") {
  const std::string_view object = R"({"metadata":{"name":"x","namespace":"d"},
      "spec":{"nodeName":"n1","hostNetwork":true},"status":{"phase":"Running"}})";
  for (const std::string_view yes :
       {"", "metadata.name=x", "metadata.name==x", "metadata.namespace=d,spec.nodeName=n1",
        "status.phase!=Failed", "spec.hostNetwork=true", "status.nominatedNodeName=",
        "status.phase!=Succeeded,status.phase!=Failed", "status.podIP!=1"}) {
    INFO(yes);
    CHECK(field_match(yes, pod, object));
  }
  for (const std::string_view no :
       {"metadata.name=y", "metadata.name!=x", "spec.hostNetwork=false", "status.podIP=1"}) {
    INFO(no);
    CHECK_FALSE(field_match(no, pod, object));
  }
  CHECK(field_match("metadata.name=a\\,b\\=c", pod, R"({"metadata":{"name":"a,b=c"}})"));
}

TEST_CASE("absent fields have their zero value") {
  CHECK(field_match("spec.unschedulable=false", {"", "v1", "Node", {}}, R"({"spec":{}})"));
  CHECK_FALSE(field_match("spec.unschedulable=true", {"", "v1", "Node", {}}, "{}"));
  CHECK(field_match("spec.hostNetwork=false", pod, "{}"));
  CHECK(field_match("spec.nodeName=", pod, "{}"));
  CHECK(field_match("status.successful=0", {"batch", "v1", "Job", {}}, "{}"));
  CHECK(field_match("status.successful=2", {"batch", "v1", "Job", {}},
                    R"({"status":{"succeeded":2}})"));
}

TEST_CASE("fields depend on the kind") {
  const auto unsupported = FieldSelector::parse("spec.foo=1", pod);
  REQUIRE_FALSE(unsupported);
  CHECK(unsupported.error().message == "field label not supported: spec.foo");
  CHECK(unsupported.error().code == base::Code::invalid);
  CHECK_FALSE(FieldSelector::parse("status.phase=x", {"apps", "v1", "Deployment", {}}));
  CHECK(FieldSelector::parse("metadata.name=x", {"example.com", "v1", "Widget", {}}));
  CHECK(FieldSelector::parse("spec.color=red", {"example.com", "v1", "Widget", {"spec.color"}}));
  CHECK(FieldSelector::parse("oops", pod).error().message ==
        "invalid selector: 'oops'; can't understand 'oops'");
  CHECK_FALSE(FieldSelector::parse("metadata.name=a=b", pod));
  CHECK_FALSE(FieldSelector::parse("metadata.name=a\\x", pod));
  CHECK_FALSE(FieldSelector::parse("metadata.name=a\\", pod));
  CHECK_FALSE(FieldSelector::parse("=a", pod));
}

TEST_CASE("events are selected by what they are about") {
  const std::string_view event = R"({"involvedObject":{"kind":"Pod","name":"x","uid":"u"},
      "reason":"Killing","source":{"component":"kubelet"},"type":"Normal"})";
  const FieldScope core{"", "v1", "Event", {}};
  CHECK(field_match("involvedObject.name=x,involvedObject.kind=Pod,involvedObject.uid=u", core,
                    event));
  CHECK(field_match("source=kubelet,reason=Killing", core, event));
  CHECK(field_match("source=s", core, R"({"reportingComponent":"s"})"));
  const FieldScope events{"events.k8s.io", "v1", "Event", {}};
  CHECK(field_match("regarding.name=x", events, event));
  CHECK(field_match("regarding.name=x", events, R"({"regarding":{"name":"x"}})"));
}

TEST_CASE("an exact requirement can be read out") {
  const auto selector = FieldSelector::parse("spec.nodeName=n1,status.phase!=Failed", pod);
  REQUIRE(selector);
  CHECK(selector->required_value("spec.nodeName") == "n1");
  CHECK_FALSE(selector->required_value("status.phase"));
  CHECK_FALSE(selector->required_value("metadata.name"));
}

}  // namespace koi::api
