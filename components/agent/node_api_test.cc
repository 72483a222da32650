#include "agent/node_api.h"

#include "agent/agent_fixture.h"

namespace koi::agent {

namespace {

struct NodeApiCase {
  AgentFixture fixture;
  NodeApi api{*fixture.agent, fixture.world.clock, fixture.pool, fixture.world.io.get_executor()};

  http::Response get(const std::string& target) {
    http::Request request;
    request.target = target;
    return fixture.world.await(api.handle(request));
  }
};

}  // namespace

TEST_CASE("a node answers for its health and its pods") {
  NodeApiCase test;
  test.fixture.add_pod("web");
  CHECK(http::body_text(test.get("/healthz").body) == "ok");
  const auto pods_answer = test.get("/pods");
  const auto list = json::parse(http::body_text(pods_answer.body));
  REQUIRE(list);
  CHECK(json::string_at(*list, {"kind"}) == "PodList");
  REQUIRE(json::array_at(*list, {"items"}).size() == 1);
  const auto& pod = json::array_at(*list, {"items"}).front();
  CHECK(json::string_at(pod, {"status", "phase"}) == "Running");
  CHECK(test.get("/exec/default/web/app").status == 404);
}

TEST_CASE("a log that cannot be read is refused with a Status") {
  NodeApiCase test;
  test.fixture.images.missing.insert("later");
  test.fixture.add_pod("web", R"({"containers": [{"name": "app", "image": "later"}]})");
  const auto refused = [&](const std::string& target) {
    const auto response = test.get(target);
    const auto status = json::parse(http::body_text(response.body));
    REQUIRE(status);
    CHECK(json::int_at(*status, {"code"}) == response.status);
    return std::pair(response.status, std::string(json::string_at(*status, {"message"})));
  };
  using Answer = std::pair<int, std::string>;
  CHECK(refused("/containerLogs/default/gone/app") == Answer(404, "pod \"gone\" not found"));
  CHECK(refused("/containerLogs/default/web/app") ==
        Answer(400,
               "container \"app\" in pod \"web\" is waiting to start: trying and failing to pull "
               "image"));
  CHECK(refused("/containerLogs/default/web/app?tailLines=-1").first == 400);
  CHECK(refused("/containerLogs/default/web/app?sinceTime=yesterday").first == 400);
}

TEST_CASE("the log of a container that wrote nothing is empty") {
  NodeApiCase test;
  test.fixture.add_pod("web");
  auto response = test.get("/containerLogs/default/web/app?tailLines=10");
  CHECK(response.status == 200);
  auto* stream = std::get_if<std::unique_ptr<http::BodyStream>>(&response.body);
  REQUIRE(stream);
  const auto part = test.fixture.world.await((*stream)->next());
  REQUIRE(part);
  CHECK_FALSE(part->has_value());
}

}  // namespace koi::agent
