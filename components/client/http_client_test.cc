#include "client/http_client.h"

#include <doctest/doctest.h>

#include <map>

#include "client/api_path.h"
#include "client/informer.h"
#include "client/test_world.h"
#include "client/watch_decoder.h"
#include "http/memory_stream.h"
#include "http/server.h"

namespace koi::client {

namespace {

using namespace std::chrono_literals;

const Resource pods{.group = "", .version = "v1", .plural = "pods"};
const Resource deployments{.group = "apps", .version = "v1", .plural = "deployments"};
const http::Endpoint endpoint{.host = "koi.test", .port = 6443, .unix_path = {}};

// Lines that a test adds while the watch is open.
struct Lines {
  explicit Lines(const base::Executor& executor) : changed(executor) {}
  std::vector<std::string> all;
  bool ended = false;
  base::Event changed;
};

class LinesBody final : public http::BodyStream {
 public:
  explicit LinesBody(Lines& lines) : lines_(lines) {}
  base::Task<base::Result<std::optional<http::Segments>>> next() override {
    while (sent_ == lines_.all.size() && !lines_.ended) co_await lines_.changed.wait();
    if (sent_ == lines_.all.size()) co_return std::optional<http::Segments>();
    http::Segments segments{std::make_shared<const std::string>(lines_.all[sent_++] + "\n")};
    co_return std::optional<http::Segments>(std::move(segments));
  }

 private:
  Lines& lines_;
  std::size_t sent_ = 0;
};

// Answers what it was told to, notes what it was asked.
class Answers final : public http::Handler {
 public:
  explicit Answers(Lines& lines) : lines_(lines) {}
  base::Task<http::Response> handle(http::Request& request) override {
    const std::string asked = std::string(http::method_name(request.method)) + " " + request.target;
    log.push_back(asked);
    last_body = request.body;
    last_type = request.headers.get("content-type");
    last_token = request.headers.get("authorization");
    http::Response response;
    response.headers.set("Content-Type", "application/json");
    if (request.target.find("watch=true") != std::string::npos) {
      std::unique_ptr<http::BodyStream> body = std::make_unique<LinesBody>(lines_);
      response.body = std::move(body);
      co_return response;
    }
    const auto found = answers.find(asked);
    response.status = found != answers.end() ? found->second.first : 404;
    response.body = found != answers.end()
                        ? found->second.second
                        : std::string(R"({"kind":"Status","status":"Failure","code":404,
                              "reason":"NotFound","message":"nothing here"})");
    co_return response;
  }

  std::map<std::string, std::pair<int, std::string>> answers;
  std::vector<std::string> log;
  std::string last_body;
  std::string last_type;
  std::string last_token;

 private:
  Lines& lines_;
};

struct HttpWorld : TestWorld {
  explicit HttpWorld(bool http2)
      : client(clock, network, io.get_executor(),
               {.endpoint = endpoint,
                .authority = "koi.test:6443",
                .bearer_token = "secret",
                .http = {.prior_knowledge_http2 = http2}}) {
    auto listener = network.listen(endpoint);
    REQUIRE(listener.has_value());
    server.listen(std::move(*listener));
  }
  ~HttpWorld() {
    lines.ended = true;
    lines.changed.notify_all();
    settle();
    await(client.stop());
    await(server.stop(0s));
  }

  http::MemoryNetwork network{io.get_executor()};
  Lines lines{io.get_executor()};
  Answers answers{lines};
  http::Server server{clock, answers, {io.get_executor()}};
  HttpClient client;
};

const ObjectRef web{.resource = pods, .name_space = "d", .name = "web"};

}  // namespace

TEST_CASE("paths and queries are those of the API") {
  CHECK(path_of(web) == "/api/v1/namespaces/d/pods/web");
  CHECK(
      path_of({.resource = deployments, .name_space = "d", .name = "x", .subresource = "status"}) ==
      "/apis/apps/v1/namespaces/d/deployments/x/status");
  CHECK(path_of({.resource = pods}) == "/api/v1/pods");
  CHECK(query_of(ListOptions{}).empty());
  CHECK(query_of(ListOptions{.label_selector = "a=b,c", .limit = 5}) ==
        "?labelSelector=a%3Db%2Cc&limit=5");
  CHECK(query_of(WatchOptions{.resource_version = "7"}) ==
        "?watch=true&allowWatchBookmarks=true&resourceVersion=7");
  CHECK(json::serialize(body_of({.grace_period_seconds = 0, .precondition_uid = "u"})) ==
        R"({"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0,)"
        R"("preconditions":{"uid":"u"}})");
}

TEST_CASE("the verbs over HTTP/1.1 and HTTP/2") {
  for (const bool http2 : {false, true}) {
    CAPTURE(http2);
    HttpWorld world(http2);
    auto& known = world.answers.answers;
    known["GET /api/v1/namespaces/d/pods/web"] = {200, R"({"kind":"Pod"})"};
    known["POST /api/v1/namespaces/d/pods"] = {201, R"({"kind":"Pod"})"};
    known["POST /api/v1/namespaces/d/pods/web/binding"] = {201, R"({"kind":"Status"})"};
    known["PATCH /api/v1/namespaces/d/pods/web"] = {200, R"({"kind":"Pod"})"};
    known["PUT /api/v1/namespaces/d/pods/web"] = {
        409, R"({"kind":"Status","code":409,"reason":"Conflict","message":"changed"})"};
    known["DELETE /api/v1/namespaces/d/pods/web"] = {200, R"({"kind":"Status"})"};
    CHECK((*world.await(world.client.get(web)))->kind() == "Pod");
    CHECK(world.answers.last_token == "Bearer secret");
    CHECK(world.await(world.client.create(web, json::Object())).has_value());
    ObjectRef binding = web;
    binding.subresource = "binding";
    CHECK(world.await(world.client.create(binding, json::Object())).has_value());
    const auto stale = world.await(world.client.update(web, json::Object()));
    REQUIRE_FALSE(stale.has_value());
    CHECK(stale.error().code == base::Code::conflict);
    CHECK(stale.error().message == "changed");
    CHECK(world.await(world.client.patch(web, PatchType::merge, json::Object())).has_value());
    CHECK(world.answers.last_type == "application/merge-patch+json");
    CHECK(world.await(world.client.remove(web, {})).has_value());
    const ObjectRef other{.resource = pods, .name_space = "d", .name = "none"};
    const auto missing = world.await(world.client.get(other));
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == base::Code::not_found);
  }
}

TEST_CASE("a list is read page by page and its items say what they are") {
  HttpWorld world(true);
  world.answers.answers["GET /api/v1/pods?limit=500"] = {
      200, R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9",
          "continue":"more"},"items":[{"metadata":{"name":"a"}}]})"};
  world.answers.answers["GET /api/v1/pods?limit=500&continue=more"] = {
      200, R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},
          "items":[{"metadata":{"name":"b"}}]})"};
  const auto list = world.await(world.client.list(pods, "", {}));
  REQUIRE(list.has_value());
  CHECK(list->resource_version == "9");
  REQUIRE(list->items.size() == 2);
  CHECK(list->items[1]->kind() == "Pod");
  CHECK(list->items[1]->api_version() == "v1");
}

TEST_CASE("an informer follows a watch, over either protocol and across broken connections") {
  for (const bool http2 : {false, true}) {
    CAPTURE(http2);
    HttpWorld world(http2);
    world.answers.answers["GET /api/v1/pods?limit=500"] = {
        200, R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},
            "items":[]})"};
    {
      Informer informer(world.client, world.clock, world.random, world.io.get_executor(),
                        {.resource = pods});
      base::TaskGroup group(world.io.get_executor());
      group.spawn("informer", informer.run());
      world.settle();
      CHECK(informer.has_synced());
      world.lines.all.push_back(
          R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"6"}}})");
      world.lines.changed.notify_all();
      world.settle();
      CHECK(informer.find("a") != nullptr);
      const auto other = world.await(world.client.get(web));
      CHECK(other.error().code == base::Code::not_found);
      world.lines.all.push_back(
          R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",
          "message":"too old"}})");
      world.lines.all.back().erase(world.lines.all.back().find('\n'), 1);
      world.lines.changed.notify_all();
      world.settle();
      world.lines.all.clear();
      world.advance(5s);
      CHECK(informer.find("a") == nullptr);
      world.await(group.stop());
    }
  }
}

TEST_CASE("events are read from bytes cut anywhere") {
  const std::string bytes = R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})"
                            "\n"
                            R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8"}}})"
                            "\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    WatchDecoder decoder;
    std::vector<WatchEvent> events;
    REQUIRE(decoder.feed(std::string_view(bytes).substr(0, cut), events).has_value());
    REQUIRE(decoder.feed(std::string_view(bytes).substr(cut), events).has_value());
    REQUIRE(events.size() == 2);
    CHECK(events[0].object->name() == "a");
    CHECK(events[1].type == WatchType::bookmark);
  }
}

TEST_CASE("what is no event is refused") {
  const auto code = [](std::string_view bytes) {
    WatchDecoder decoder;
    std::vector<WatchEvent> events;
    const auto fed = decoder.feed(bytes, events);
    return fed ? base::Code::internal : fed.error().code;
  };
  CHECK(code("{]\n") == base::Code::corrupt);
  CHECK(code("[]\n") == base::Code::corrupt);
  CHECK(code("{\"type\":\"ODD\",\"object\":{}}\n") == base::Code::corrupt);
  CHECK(code(R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"
             "\n") == base::Code::expired);
  CHECK(code(std::string(7'000'000, 'x')) == base::Code::too_large);
}

}  // namespace koi::client
