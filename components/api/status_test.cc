#include "api/status.h"

#include <doctest/doctest.h>

namespace koi::api {

TEST_CASE("messages are worded as clients expect them") {
  CHECK(not_found_status({"", "pods", "x"}).message == R"(pods "x" not found)");
  CHECK(already_exists_status({"apps", "deployments", "web"}).message ==
        R"(deployments.apps "web" already exists)");
  CHECK(modified_status({"", "pods", "x"}).message ==
        R"(Operation cannot be fulfilled on pods "x": the object has been modified; )"
        "please apply your changes to the latest version and try again");
  CHECK(method_not_supported_status({"apps", "deployments", ""}, "delete").message ==
        R"(delete is not supported on resources of kind "deployments.apps")");
  CHECK(too_old_revision_status(1, 5).message == "too old resource version: 1 (5)");
}

TEST_CASE("a refusal names who wanted what where") {
  AccessDenied denied{.user = "x", .verb = "list", .resource = "pods", .name_space = "default"};
  CHECK(access_denied_status(denied).message ==
        R"(pods is forbidden: User "x" cannot list resource "pods" in API group "" )"
        R"(in the namespace "default")");
  denied.name_space = "";
  denied.group = "apps";
  denied.subresource = "scale";
  denied.name = "web";
  denied.reason = "no";
  CHECK(access_denied_status(denied).message ==
        R"(pods.apps "web" is forbidden: User "x" cannot list resource "pods/scale" )"
        R"(in API group "apps" at the cluster scope: no)");
  const AccessDenied path{.user = "u", .verb = "get", .path = "/metrics"};
  CHECK(access_denied_status(path).message == R"(forbidden: User "u" cannot get path "/metrics")");
}

TEST_CASE("invalid objects list every cause") {
  const auto one = invalid_status("", "Pod", "x", {required("spec.containers")});
  CHECK(one.message == R"(Pod "x" is invalid: spec.containers: Required value)");
  CHECK(one.http_code == 422);
  const auto two =
      invalid_status("apps", "Deployment", "web",
                     {invalid("spec.replicas", -1, "must be greater than or equal to 0"),
                      required("spec.selector"), required("spec.selector")});
  CHECK(two.message ==
        R"(Deployment.apps "web" is invalid: [spec.replicas: Invalid value: -1: must be greater )"
        "than or equal to 0, spec.selector: Required value]");
  REQUIRE(two.details.causes.size() == 3);
  CHECK(two.details.causes[0].reason == "FieldValueInvalid");
  CHECK(two.details.causes[0].field == "spec.replicas");
  CHECK(two.details.causes[1].message == "Required value");
}

TEST_CASE("each kind of field error has its words") {
  CHECK(not_supported("f", "X", {"A", "B"}).message() ==
        R"(f: Unsupported value: "X": supported values: "A", "B")");
  CHECK(duplicate("f", "a").message() == R"(f: Duplicate value: "a")");
  CHECK(forbidden("f", "no").message() == "f: Forbidden: no");
  CHECK(too_long("f", 63).message() == "f: Too long: may not be more than 63 bytes");
  CHECK(too_many("f", 9, 8).message() == "f: Too many: 9: must have at most 8 items");
  CHECK(invalid("f", json::Object{{"a", 1}}, "d").message() == R"(f: Invalid value: {"a":1}: d)");
  CHECK(invalid("f", "a\"b\n", "d").message() == R"(f: Invalid value: "a\"b\n": d)");
}

TEST_CASE("a status survives its JSON form") {
  Status status = conflict_status({"apps", "deployments", "web"}, "no");
  status.details.uid = "u";
  status.details.retry_after_seconds = 3;
  status.details.causes.push_back({"R", "M", "f"});
  const json::Value value = status.to_json();
  CHECK(json::serialize(value) ==
        R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":)"
        R"("Operation cannot be fulfilled on deployments.apps \"web\": no","reason":"Conflict",)"
        R"("details":{"name":"web","group":"apps","kind":"deployments","uid":"u","causes":)"
        R"([{"reason":"R","message":"M","field":"f"}],"retryAfterSeconds":3},"code":409})");
  CHECK(json::serialize(Status::from_json(value).to_json()) == json::serialize(value));
  CHECK(status.to_error().code == base::Code::conflict);
  CHECK(Status::from_json(json::Value(1)).http_code == 500);
}

TEST_CASE("deletion answers with what went") {
  CHECK(json::serialize(success_status({"", "pods", "x"}, "u1").to_json()) ==
        R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success",)"
        R"("details":{"name":"x","kind":"pods","uid":"u1"}})");
}

TEST_CASE("errors from inside map to one reason each") {
  const ResourceName about{"", "pods", "x"};
  CHECK(status_from({base::Code::not_found, "?"}, about).http_code == 404);
  CHECK(status_from({base::Code::conflict, "?"}, about).reason == "Conflict");
  CHECK(status_from({base::Code::expired, "gone"}, about).http_code == 410);
  CHECK(status_from({base::Code::too_large, "?"}, about).http_code == 413);
  CHECK(status_from({base::Code::internal, "boom"}, about).message ==
        "Internal error occurred: boom");
  CHECK(status_from({base::Code::unavailable, "disk"}, about).http_code == 503);
}

}  // namespace koi::api
